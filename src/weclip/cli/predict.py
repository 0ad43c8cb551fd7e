"""The command line of `weclip predict`; imports of PyTorch wait until it runs, as in `app.py`."""

from typing import Annotated

import typer

from weclip.cli import options
from weclip.cli.options import Clip, Model, Out, Overwrite, Plugins


def predict(
    inputs: Annotated[
        list[str], typer.Argument(help="Image files, folders or quoted patterns.", metavar="IMAGES")
    ],
    model: Model,
    out: Out,
    change: Annotated[
        list[str] | None,
        typer.Option("--set", help="A change of the configuration, such as eval.crf=true."),
    ] = None,
    overlays: options.Overlays = False,
    clip: Clip = None,
    resume: options.Continue = False,
    plugin: Plugins = None,
    overwrite: Overwrite = False,
) -> int:
    """Segment images: one palette PNG each, at the image's own size. Needs no tags.

    Images that cannot be read are left out and named. Exit code 0: all are done; 1: some are left
    out.

    For example: weclip predict --model runs/voc photos/ --out masks --overlays
    """
    from weclip.system.distributed import console
    from weclip.tasks.load import ModelAt
    from weclip.tasks.predict import PredictOptions, summary
    from weclip.tasks.predict import predict as run

    shown = console()
    how = PredictOptions(overlays=overlays, resume=resume, overwrite=overwrite)
    place = ModelAt(model, clip, change or (), plugin or ())
    done = run(place, inputs, out, how, console=shown)
    for line in summary(done, out):
        shown.print(line, soft_wrap=True, markup=False)
    return 1 if done.skipped else 0
