"""The command line of `weclip tag`; imports of PyTorch wait until it runs, as in `app.py`."""

from pathlib import Path
from typing import Annotated

import typer

from weclip.cli.options import Arguments, Plugins, Preset


def tag(
    out: Annotated[Path, typer.Option("--out", help="Tags file to write, .csv.")],
    arguments: Arguments = None,
    config: Preset = None,
    plugin: Plugins = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier tags file of this command.")
    ] = False,
) -> None:
    """Tag images by a frozen CLIP from class names alone, and score the tags if true ones exist.

    For example: weclip tag photos data.classes=voc clip.weights=ViT-B-16.pt --out tags.csv
    """
    from weclip.system.distributed import console
    from weclip.tasks.datasets import configuration, split_data
    from weclip.tasks.tag.run import tag as run

    shown = console()
    data, changes = split_data(arguments or ())
    resolved = configuration(config, data, changes, plugins=plugin or ())
    count = run(resolved, out, console=shown, overwrite=overwrite)
    shown.print(f"{count} images in {out}", soft_wrap=True, markup=False)
