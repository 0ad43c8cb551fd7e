"""The command line of `weclip export`; imports of PyTorch wait until it runs, as in `app.py`."""

from pathlib import Path
from typing import Annotated

import typer

from weclip.cli.options import Changes, Clip, Model, Plugins

OutFile = Annotated[Path, typer.Option("--out", help="File to write: .onnx or .pt2.")]
Format = Annotated[
    str,
    typer.Option(
        "--format",
        help="onnx, or pt2 (a program of torch.export).",
        autocompletion=lambda: ["onnx", "pt2"],
    ),
]
Output = Annotated[
    str,
    typer.Option(
        "--output",
        help="logits (at patch resolution, which weclip reads), full_logits (of the image's size) "
        "or label_map (class ids).",
        autocompletion=lambda: ["logits", "full_logits", "label_map"],
    ),
]
Precision = Annotated[
    str,
    typer.Option(
        "--precision",
        help="Of the weights: float32, or float16 for half the size.",
        autocompletion=lambda: ["float32", "float16"],
    ),
]


def export(
    model: Model,
    out: OutFile,
    changes: Changes = None,
    format: Format = "onnx",
    output: Output = "logits",
    precision: Precision = "float32",
    clip: Clip = None,
    plugin: Plugins = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the file if it exists.")
    ] = False,
) -> None:
    """Write a model as one file that runs without weclip, and verify it.

    Changes of eval, such as eval.long_side=640, become the file's own test settings.

    In: RGB images (B, 3, H, W) float32 in 0..255, of any number and size. The file is run on images
    of ten shapes and compared before it is kept.

    For example: weclip export --model runs/photos --out photos.onnx
    """
    from weclip.system.console import screen
    from weclip.tasks.load.opening import ModelAt
    from weclip.tasks.share.export import ExportOptions, described
    from weclip.tasks.share.export import export as run

    options = ExportOptions(format=format, output=output, precision=precision, overwrite=overwrite)
    console = screen()
    done = run(ModelAt(model, clip, changes or (), plugin or ()), out, options, console=console)
    for line in described(done):
        console.print(line, soft_wrap=True, markup=False, highlight=False)
