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
Arguments = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="DATA|SECTION.KEY=VALUE",
        help="Your folder or dataset.yaml, and changes of the configuration.",
        show_default=False,
    ),
]
Overlays = Annotated[
    bool, typer.Option("--overlays", help="Also write the images with their masks painted on.")
]
LabelMethod = Annotated[str, typer.Option("--method", help="What makes the masks: clip-es.")]
Export = Annotated[
    str | None, typer.Option("--export", help="Also write coco.json at the end: coco.")
]
Shard = Annotated[
    str | None,
    typer.Option("--shard", help="Do the i-th of n parts, such as 2/4; others may run beside it."),
]
Start = Annotated[
    list[bool] | None,
    typer.Option(
        "--resume/--overwrite",
        metavar="",
        help="Do only what is missing in --out, or replace an earlier output in it.",
    ),
]
"""Two flags in one: True for the first and False for the second, as often as they are given."""
Resume = Annotated[bool, typer.Option("--resume", help="Continue the run in --out, or start it.")]
AcceptChanges = Annotated[
    bool, typer.Option("--accept-changes", help="Resume with another configuration or data.")
]
Seeds = Annotated[str | None, typer.Option("--seeds", help="Train once per seed, such as 0,1,2.")]
TagsSource = Annotated[
    Path,
    typer.Argument(help="Pickled .npy, .csv, .jsonl, .json or .xml export, or folder of VOC .xml."),
]
Prepared = Annotated[str, typer.Argument(help="voc, coco or clip.", metavar="WHAT")]
Root = Annotated[Path, typer.Option("--root", help="Folder for the data or the weights.")]
Given = Annotated[
    list[Path] | None,
    typer.Option("--from", help="A file fetched by hand; not fetched then. Repeatable."),
]
ClipName = Annotated[str, typer.Option("--name", help="Which CLIP: ViT-B/16 or ViT-L/14.")]
VoidBorder = Annotated[
    bool, typer.Option("--void-border", help="For coco: ignore a border round instances.")
]
