"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Out = Annotated[Path, typer.Option("--out", help="Output folder, new or empty.")]
Model = Annotated[
    Path, typer.Option("--model", help="Run folder of `weclip train`, or its model.safetensors.")
]
Clip = Annotated[
    Path | None, typer.Option("--clip", help="CLIP weights, if they are no longer where they were.")
]
Preset = Annotated[
    str | None, typer.Option("--config", help="Preset (voc, coco, folder, demo) or a YAML file.")
]
Data = Annotated[
    Path | None,
    typer.Option("--data", help="Your folder or dataset.yaml: --config folder data.root=DATA."),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace an earlier output of weclip in --out.")
]
Changes = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[SECTION.KEY=VALUE]...", help="Changes of the configuration.", show_default=False
    ),
]
