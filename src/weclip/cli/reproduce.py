"""The command line of `weclip reproduce`; imports of PyTorch wait until it runs, as in `app.py`."""

from pathlib import Path
from typing import Annotated

import typer

from weclip.cli.completion import complete_published
from weclip.cli.options import Changes, Overwrite


def reproduce(
    name: Annotated[
        str,
        typer.Argument(
            help="voc, coco, voc-plus, coco-plus, clip-es, excel, cd-clip or corrclip.",
            metavar="NAME",
            autocompletion=complete_published,
        ),
    ],
    changes: Changes = None,
    root: Annotated[
        Path, typer.Option("--root", help="Folder for data and weights; what is there stays.")
    ] = Path("data"),
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Output folder, by default runs/reproduce-NAME; goes on there."),
    ] = None,
    seeds: Annotated[
        str | None, typer.Option("--seeds", help="Train from each seed, such as 0,1,2; default 0.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the commands and what they take; do nothing.")
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Run a published table again: fetch, train, score, and show the difference.

    Killed anywhere, the same command goes on.

    For example: weclip reproduce voc --root data --out runs/reproduce-voc
    """
    from weclip.system.distributed import console
    from weclip.tasks.reproduce import run as command

    place = out or Path("runs", f"reproduce-{name}")
    request = command.make_request(name, root, place, seeds=seeds, changes=changes or ())
    if dry_run:
        command.show_plan(request, console())
    else:
        command.reproduce(request, console=console(), overwrite=overwrite)
