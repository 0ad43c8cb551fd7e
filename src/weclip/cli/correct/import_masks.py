"""The command line of `weclip import-masks`; imports wait until it runs, as in `app.py`."""

from pathlib import Path
from typing import Annotated

import typer

from weclip.cli.options import Changes, Preset


def import_masks(
    source: Annotated[
        Path, typer.Argument(help="Folder or zip of masks, or an .xml or .json of a tool.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder of corrections, new or with others.")],
    data: Annotated[
        Path | None, typer.Option("--data", help="Your folder of images, or its dataset.yaml.")
    ] = None,
    changes: Changes = None,
    config: Preset = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace what is corrected of these images.")
    ] = False,
) -> None:
    """Make corrections of masks from CVAT, Label Studio or any folder of PNGs, for training.

    For example: weclip import-masks cvat.zip --data photos --out corrected
    """
    from weclip.config_schema import PART_SECTIONS
    from weclip.system.console import screen
    from weclip.tasks.corrections.import_masks import import_masks as run
    from weclip.tasks.datasets import configuration

    unused = ("clip.weights", *PART_SECTIONS)
    resolved = configuration(config, data, changes or (), unused=unused)
    count = run(source, resolved, out, console=screen(), overwrite=overwrite)
    line = f"train with data.corrected={out}, which holds {count} of these masks"
    screen().print(line, soft_wrap=True, markup=False, highlight=False)
