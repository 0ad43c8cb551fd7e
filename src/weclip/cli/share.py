"""The command lines of `weclip bundle` and `weclip push`; PyTorch waits until they run."""

from typing import Annotated

import typer

from weclip.cli.options import (
    Clip,
    License,
    Out,
    Overwrite,
    Plugins,
    Precision,
    Private,
    Run,
    Scores,
)


def bundle(
    run: Run,
    out: Out,
    precision: Precision = "float16",
    scores: Scores = None,
    license: License = "other",
    clip: Clip = None,
    plugin: Plugins = None,
    overwrite: Overwrite = False,
) -> None:
    """Make one folder that needs nothing else: the model, its frozen towers, licences, a card.

    It predicts the same wherever it is moved: weclip predict photos/ --model FOLDER --out masks

    For example: weclip bundle runs/photos --out photos-model --license mit
    """
    from weclip.system.console import screen
    from weclip.tasks.load.opening import ModelAt
    from weclip.tasks.share.bundle import BundleOptions
    from weclip.tasks.share.bundle import bundle as run_bundle

    how = BundleOptions(precision=precision, scores=scores, licence=license)
    place = ModelAt(run, clip, plugins=plugin or ())
    run_bundle(place, out, how, console=screen(), overwrite=overwrite)


def push(
    run: Run,
    name: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="Repository of the hub.")],
    private: Private = False,
    precision: Precision = "float16",
    scores: Scores = None,
    license: License = "other",
    clip: Clip = None,
    plugin: Plugins = None,
) -> None:
    """Send a model to the Hugging Face hub, as a bundle with a card; a bundle is sent as it is.

    Then others load it by its name: weclip predict photos/ --model hf:OWNER/NAME --out masks

    For example: weclip push runs/photos me/photos --private
    """
    from weclip.system.console import screen
    from weclip.tasks.load.opening import ModelAt
    from weclip.tasks.share.bundle import BundleOptions
    from weclip.tasks.share.push import push as run_push

    how = BundleOptions(precision=precision, scores=scores, licence=license)
    place, console = ModelAt(run, clip, plugins=plugin or ()), screen()
    sent = run_push(place, name, how, private=private, console=console)
    console.print(f"{sent.url} at commit {sent.commit}", soft_wrap=True, markup=False)
    console.print(f"load it as hf:{sent.repository}", soft_wrap=True, markup=False)
