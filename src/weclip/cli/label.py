"""The command line of `weclip label`; imports of PyTorch wait until it runs, as in `app.py`."""

from weclip.cli import options
from weclip.cli.options import Out, Overwrite, Plugins, Preset
from weclip.config_changes import Change


def label(
    out: Out,
    arguments: options.Arguments = None,
    config: Preset = None,
    method: options.LabelMethod = None,
    corrected: options.CorrectedFolder = None,
    overlays: options.Overlays = False,
    soft: options.Soft = False,
    export: options.Export = None,
    shard: options.Shard = None,
    resume: options.Continue = False,
    plugin: Plugins = None,
    overwrite: Overwrite = False,
) -> None:
    """Make masks of images with tags, by a frozen CLIP alone: no training, no decoder.

    For example: weclip label photos clip.weights=ViT-B-16.pt --out masks
    """
    from weclip.system.distributed import console
    from weclip.tasks.datasets import configuration, split_data
    from weclip.tasks.label import run as command

    data, given = split_data(arguments or ())
    changes: list[Change] = [*given]
    if corrected is not None:
        changes.append({"data.corrected": str(corrected)})
    resolved = configuration(config, data, changes, method=method, plugins=plugin or ())
    how = command.LabelOptions(
        overlays=overlays,
        soft=soft,
        export=tuple(export or ()),
        shard=shard,
        resume=resume,
        overwrite=overwrite,
    )
    shown = console()
    count = command.label(resolved, out, how, console=shown)
    shown.print(f"{count} masks in {out / 'masks'}", soft_wrap=True, markup=False)
