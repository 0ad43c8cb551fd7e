"""The command line of `weclip predict`; imports of PyTorch wait until it runs, as in `app.py`."""

from weclip.cli import options
from weclip.cli.options import Clip, Model, Out, Overwrite, Plugins


def predict(
    arguments: options.Images,
    model: Model,
    out: Out,
    overlays: options.Overlays = False,
    confidence: options.Confidence = False,
    ids: options.GreyIds = False,
    report: options.WithReport = False,
    fast: options.Fast = False,
    clip: Clip = None,
    resume: options.Continue = False,
    plugin: Plugins = None,
    overwrite: Overwrite = False,
) -> int:
    """Segment images: one palette PNG each, at the image's own size. Needs no tags.

    Beside the masks: legend.json (ids, names, colours), run.json (model, settings).

    Images that cannot be read are left out and named.

    Exit code 0: all are done; 1: some are left out.

    For example: weclip predict photos/ --model runs/voc --out masks --overlays
    """
    from weclip.system.console import warnings_of
    from weclip.system.distributed import console
    from weclip.tasks.datasets import split_changes
    from weclip.tasks.load.opening import ModelAt
    from weclip.tasks.predict import PredictOptions, fast_changes, skipped_line
    from weclip.tasks.predict import predict as run

    shown = console()
    inputs, changes = split_changes(arguments)
    how = PredictOptions(
        overlays=overlays,
        confidence=confidence,
        ids=ids,
        report=report,
        resume=resume,
        overwrite=overwrite,
    )
    if fast:
        changes = fast_changes(changes, shown)
    done = run(ModelAt(model, clip, changes, plugin or ()), inputs, out, how, console=shown)
    shown.print(f"{done.count} label maps in {out / 'masks'}", soft_wrap=True, markup=False)
    if done.skipped:
        warnings_of(shown).print(skipped_line(done), soft_wrap=True, markup=False)
    return 1 if done.skipped else 0
