"""The command line of `weclip review`; imports of PyTorch wait until it runs, as in `app.py`."""

from pathlib import Path
from typing import Annotated

import typer

from weclip.cli.options import Changes, Clip, Plugins

Reviewed = Annotated[
    Path,
    typer.Argument(
        metavar="OUT", help="Output folder of label or predict, or run folder of train."
    ),
]
Data = Annotated[
    Path | None,
    typer.Option("--data", help="The images and tags, if OUT does not know them or they moved."),
]
Suspects = Annotated[
    Path | None, typer.Option("--suspects", help="List of weclip check --suspects, .csv.")
]
Second = Annotated[
    Path | None,
    typer.Option("--second", help="Output of another method; masks that differ come first."),
]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="0: a free one.")]
NoBrowser = Annotated[
    bool, typer.Option("--no-browser", help="Print the address and open no browser.")
]


def review(
    out: Reviewed,
    changes: Changes = None,
    data: Data = None,
    suspects: Suspects = None,
    second: Second = None,
    port: Port = 0,
    no_browser: NoBrowser = False,
    clip: Clip = None,
    plugin: Plugins = None,
) -> None:
    """Correct tags and masks on a local page; everything is saved in OUT/corrected as you go.

    For example: weclip review masks --data photos
    """
    from weclip.system.console import screen
    from weclip.tasks.review.opening import ReviewAt
    from weclip.tasks.review.run import review as command

    place = ReviewAt(out, data, clip, changes or (), plugin or ())
    command(
        place,
        port=port,
        browser=not no_browser,
        suspects=suspects,
        second=second,
        console=screen(),
    )
