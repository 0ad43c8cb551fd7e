"""The command `weclip`: parses, calls, and turns a user's mistake into one line and exit code 2.

Imports of PyTorch wait until a command runs, so that `--help` answers at once.
"""

import errno
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from typer.exceptions import Abort, TyperException

from weclip.allocator import keep_freed_memory
from weclip.errors import InputError

app = typer.Typer(
    name="weclip",
    help="Learn to segment images from image-level tags alone, with a frozen CLIP.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Out = Annotated[Path, typer.Option("--out", help="Output folder, new or empty.")]
Model = Annotated[
    Path, typer.Option("--model", help="Run folder of `weclip train`, or its model.safetensors.")
]
Clip = Annotated[
    Path | None, typer.Option("--clip", help="CLIP weights, if they are no longer where they were.")
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

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@app.command()
def train(
    config: Annotated[
        str, typer.Option("--config", help="Preset (voc, coco, folder, demo) or a YAML file.")
    ],
    out: Out,
    changes: Changes = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the run in --out where it stopped.")
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Train a segmenter from images and their tags.

    For example: weclip train --config voc data.root=VOC2012 clip.weights=ViT-B-16.pt --out runs/voc
    """
    from weclip.commands.train import train as run
    from weclip.config_file import load_config

    if resume and overwrite:
        raise InputError("--resume and --overwrite contradict each other; give one of them")
    console = Console()
    model = run(
        load_config(config, changes or ()),
        out,
        console=console,
        resume=resume,
        overwrite=overwrite,
    )
    console.print(f"model: {model}", soft_wrap=True, markup=False)


@app.command()
def check(
    config: Annotated[
        str, typer.Option("--config", help="Preset (voc, coco, folder, demo) or a YAML file.")
    ],
    changes: Changes = None,
    json: Annotated[
        Path | None, typer.Option("--json", help="Also write the whole record to this file.")
    ] = None,
) -> int:
    """Read all images, masks and tags that `train` would read, and say what is wrong with them.

    Changes nothing. Exit code 0: all is well; 1: warnings; 2: errors.

    For example: weclip check --config voc data.root=VOC2012
    """
    from weclip.commands.check import UNUSED
    from weclip.commands.check import check as run
    from weclip.config_file import load_config

    configuration = load_config(config, changes or (), unused=UNUSED)
    return run(configuration, console=Console(), json_file=json)


@app.command()
def evaluate(
    model: Model,
    out: Out,
    changes: Changes = None,
    labels: Annotated[
        bool,
        typer.Option(
            "--labels", help="Score the CAMs and pseudo-labels made from tags, not the model."
        ),
    ] = False,
    clip: Clip = None,
    overwrite: Overwrite = False,
) -> None:
    """Score a trained model on a split with masks: mIoU, IoU of each class, accuracies.

    For example: weclip evaluate --model runs/voc --out runs/voc-val eval.crf=true
    """
    from weclip.commands.evaluate import evaluate as run

    run(
        model,
        out,
        console=Console(),
        overrides=changes or (),
        clip=clip,
        labels=labels,
        overwrite=overwrite,
    )


@app.command()
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
    overlays: Annotated[
        bool, typer.Option("--overlays", help="Also write the images with their masks painted on.")
    ] = False,
    clip: Clip = None,
    overwrite: Overwrite = False,
) -> None:
    """Segment images: one palette PNG each, at the image's own size. Needs no tags.

    For example: weclip predict --model runs/voc photos/ --out masks --overlays
    """
    from weclip.commands.predict import predict as run

    console = Console()
    count = run(
        model,
        inputs,
        out,
        console=console,
        overrides=change or (),
        clip=clip,
        overlays=overlays,
        overwrite=overwrite,
    )
    console.print(f"{count} label maps in {out / 'masks'}", soft_wrap=True, markup=False)


@app.command("import")
def import_(
    checkpoint: Annotated[Path, typer.Argument(help="A released WeCLIP checkpoint (.pth).")],
    config: Annotated[
        str, typer.Option("--config", help="Preset it was trained with (voc, coco) or a YAML file.")
    ],
    out: Out,
    changes: Changes = None,
    overwrite: Overwrite = False,
) -> None:
    """Make a model file from a checkpoint of the released WeCLIP code; nothing in it is executed.

    For example: weclip import WeCLIP_model_iter_30000.pth --config voc faithful=true
    data.root=VOC2012 clip.weights=ViT-B-16.pt --out runs/released
    """
    from weclip.commands.import_published import import_published
    from weclip.config_file import load_config

    path = import_published(
        checkpoint, load_config(config, changes or ()), out, overwrite=overwrite
    )
    Console().print(f"model: {path}", soft_wrap=True)


@app.command()
def convert(
    source: Annotated[
        Path,
        typer.Argument(
            help="Pickled .npy, .csv, .jsonl, .json or .xml export, or folder of VOC .xml."
        ),
    ],
    target: Annotated[Path, typer.Argument(help="Tags file to write, .csv or .jsonl.")],
    classes: Annotated[
        str, typer.Option("--classes", help="Class list: voc, coco, demo or a YAML file.")
    ],
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the tags file if it exists.")
    ] = False,
) -> None:
    """Write the tags of another format as a tags file; nothing in a pickle is executed.

    For example: weclip convert cls_labels_onehot.npy tags.csv --classes voc
    """
    from weclip.commands.convert import convert as run

    count = run(source, target, classes=classes, overwrite=overwrite)
    Console().print(f"{count} images in {target}", soft_wrap=True, markup=False)


@app.command()
def prepare(
    what: Annotated[str, typer.Argument(help="voc, coco or clip.", metavar="WHAT")],
    root: Annotated[Path, typer.Option("--root", help="Folder for the data or the weights.")],
    given: Annotated[
        list[Path] | None,
        typer.Option("--from", help="A file fetched by hand; not fetched then. Repeatable."),
    ] = None,
    name: Annotated[
        str, typer.Option("--name", help="Which CLIP: ViT-B/16 or ViT-L/14.")
    ] = "ViT-B/16",
    void_border: Annotated[
        bool, typer.Option("--void-border", help="For coco: ignore a border round instances.")
    ] = False,
) -> int:
    """Fetch VOC with SBD, COCO 2014 or CLIP's weights and lay them out; again to continue.

    For example: weclip prepare voc --root data
    """
    from weclip.commands.prepare import prepare as run

    console = Console()
    command, exit_code = run(
        what, root, console=console, given=given or (), name=name, void_border=void_border
    )
    console.print(command, soft_wrap=True, markup=False, highlight=False)
    return exit_code


@app.command()
def demo(
    out: Out,
    seed: Annotated[int, typer.Option(min=0, help="Decides scenes and training.")] = 0,
    overwrite: Overwrite = False,
) -> None:
    """Watch the whole method work offline in minutes: make scenes, train, score, report.

    For example: weclip demo --out runs/demo
    """
    from weclip.demo.run import run_demo

    console = Console()
    report = run_demo(out, seed=seed, console=console, overwrite=overwrite)
    console.print(f"open {report}", soft_wrap=True, markup=False)


def main() -> None:
    """Entry point; exits with 2 after one line for a mistake of the user's, 1 if training fails."""
    keep_freed_memory()
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code."""
    try:
        result = app(arguments, standalone_mode=False, prog_name="weclip")
    except InputError as error:
        return _fail(str(error), 2)
    except TyperException as error:
        return _fail(f"{error.format_message() or 'no command given'} (see weclip --help)", 2)
    except (KeyboardInterrupt, Abort):
        return _fail("interrupted", 130)
    except OSError as error:  # a path that the system refuses: too long, no permission, disk full
        if error.filename is None and error.errno not in FULL:
            raise
        return _fail(f"{error.filename or 'cannot write'}: {error.strerror}", 2)
    except RuntimeError as error:
        if type(error).__name__ != "DivergedError":
            raise
        return _fail(str(error), 1)
    return result if isinstance(result, int) else 0


def _fail(message: str, code: int) -> int:
    typer.echo(f"weclip: error: {' '.join(message.split())}", err=True)
    return code
