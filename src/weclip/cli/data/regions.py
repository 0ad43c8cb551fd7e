"""The command line of `weclip regions`; imports of PyTorch wait until it runs, as in `app.py`."""

from typing import Annotated

import typer

from weclip.cli import options
from weclip.cli.options import Out, Overwrite, Plugins, Preset

Overlays = Annotated[
    bool, typer.Option("--overlays", help="Also write the images with their regions painted on.")
]


def regions(
    out: Out,
    arguments: options.Arguments = None,
    config: Preset = None,
    overlays: Overlays = False,
    shard: options.Shard = None,
    resume: options.Continue = False,
    plugin: Plugins = None,
    overwrite: Overwrite = False,
) -> None:
    """Cut images into regions without classes, one id map each, for what reads regions.files.

    Needs no tags; regions.source says how.

    For example: weclip regions photos regions.source=graph --out regions
    """
    from weclip.system.distributed import console
    from weclip.tasks.datasets import configuration, split_data
    from weclip.tasks.regions.run import UNUSED, RegionsOptions
    from weclip.tasks.regions.run import regions as run

    data, changes = split_data(arguments or ())
    resolved = configuration(config, data, changes, unused=UNUSED, plugins=plugin or ())
    how = RegionsOptions(overlays=overlays, shard=shard, resume=resume, overwrite=overwrite)
    shown = console()
    count = run(resolved, out, how, console=shown)
    shown.print(f"{count} id maps in {out / 'maps'}", soft_wrap=True, markup=False)
