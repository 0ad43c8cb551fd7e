"""The command `weclip`: parses, calls, and turns a user's mistake into one line and exit code 2.

Imports of PyTorch wait until a command runs, so that `--help` answers at once.
"""

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from weclip.cli import options
from weclip.cli.command import ComputingCommand, PlainCommand, PlainGroup
from weclip.cli.completion import let_values_follow_keys
from weclip.cli.correct.import_masks import import_masks
from weclip.cli.correct.review import review
from weclip.cli.data.convert import convert
from weclip.cli.data.memory import memory
from weclip.cli.data.prepare import prepare
from weclip.cli.data.regions import regions
from weclip.cli.export import export
from weclip.cli.label import label
from weclip.cli.options import (
    Changes,
    Clip,
    Out,
    Overwrite,
    Plugins,
    Preset,
    at_home_in,
    require_new_spelling,
)
from weclip.cli.predict import predict
from weclip.cli.reproduce import reproduce
from weclip.cli.share import bundle, push
from weclip.cli.tag import tag
from weclip.system.console import patient_streams, screen, show_notices_in_one_line
from weclip.system.errors import InputError
from weclip.system.exits import run_app, with_what_was_printed
from weclip.system.files import require_writable
from weclip.system.memory import keep_freed_memory
from weclip.system.processes import silence_pillow

app = typer.Typer(
    name="weclip",
    cls=PlainGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Learn to segment images from image-level tags alone, with a frozen CLIP.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
command = partial(app.command, cls=PlainCommand)
computing = partial(app.command, cls=ComputingCommand)


@app.callback()
def weclip(version: options.Version = False) -> None:
    """Options that go without a command."""


@computing(epilog=options.PARTS_HELP)
def train(
    out: Out,
    arguments: options.Arguments = None,
    config: Preset = None,
    resume: options.Resume = False,
    accept_changes: options.AcceptChanges = False,
    seeds: options.Seeds = None,
    plugin: Plugins = None,
    overwrite: Overwrite = False,
) -> None:
    """Train a segmenter from images and their tags.

    A signal ends it between two steps, saved, with exit code 75; --resume continues.

    For example: weclip train photos clip.weights=ViT-B-16.pt --out runs/photos
    """
    from weclip.system.distributed import console
    from weclip.tasks.datasets import configuration, split_data
    from weclip.tasks.train.run import train as run
    from weclip.tasks.train.seeds import parse_seeds, train_seeds
    from weclip.tasks.train.shown import show_result

    if resume and overwrite:
        raise InputError("--resume and --overwrite contradict each other; give one of them")
    how = {"resume": resume, "overwrite": overwrite, "accept_changes": accept_changes}
    data, changes = split_data(arguments or ())
    resolved, shown = configuration(config, data, changes, plugins=plugin or ()), console()
    if seeds is not None:
        path = train_seeds(resolved, out, parse_seeds(seeds), console=shown, **how)
        shown.print(f"scores: {path}", soft_wrap=True, markup=False)
        return
    show_result(run(resolved, out, console=shown, **how), shown)


@command()
def check(
    arguments: options.Arguments = None,
    config: Preset = None,
    json: options.Json = None,
    suspects: options.Suspects = None,
) -> int:
    """Read all images, masks and tags that `train` would read, and say what is wrong with them.

    Changes nothing. Exit code 0: all is well; 1: warnings; 2: errors.

    --suspects compares the tags with what a CLIP sees, so it needs clip.weights=...

    For example: weclip check photos, or weclip check --config voc data.root=VOC2012
    """
    from weclip.tasks.check import UNUSED
    from weclip.tasks.check import check as run
    from weclip.tasks.datasets import configuration, split_data

    if json is not None:
        require_writable(json, "--json")
    data, changes = split_data(arguments or ())
    resolved = configuration(config, data, changes, unused=() if suspects else UNUSED)
    return run(resolved, console=screen(), json_file=json, suspects=suspects)


@computing()
def evaluate(
    out: Out,
    arguments: options.Arguments = None,
    model: options.ModelOrNone = None,
    labels: options.Labels = False,
    clip: Clip = None,
    masks: options.Masks = None,
    config: Preset = None,
    allow_missing: options.AllowMissing = False,
    plugin: Plugins = None,
    overwrite: Overwrite = False,
) -> None:
    """Score a trained model, or folders of masks, on a split with masks.

    mIoU, boundary IoU, IoU of each class, accuracies.

    For example: weclip evaluate --model runs/voc --out runs/voc-val eval.crf=true, or
    weclip evaluate photos --masks a=one --masks b=two data.eval_split=val --out runs/two
    """
    from weclip.system.distributed import chosen_device, console
    from weclip.tasks.datasets import root_change, split_data
    from weclip.tasks.evaluate.masks import evaluate_masks, masks_configuration
    from weclip.tasks.evaluate.model import evaluate as score_model
    from weclip.tasks.load.opening import ModelAt

    of_model = {"--model": model, "--labels": labels, "--clip": clip, "--plugin": plugin}
    options.require_one_of(
        of_model | {"--device": chosen_device()},
        {"--masks": masks, "--config": config, "--allow-missing": allow_missing},
    )
    shown, (data, changes) = console(), split_data(arguments or ())
    if masks:
        resolved = masks_configuration(config, data, changes)
        how = {"allow_missing": allow_missing, "overwrite": overwrite}
        evaluate_masks(masks, resolved, out, console=shown, **how)
    elif model is not None:
        place = ModelAt(model, clip, [*root_change(data), *changes], plugin or ())
        score_model(place, out, console=shown, labels=labels, overwrite=overwrite)


computing()(predict)
computing(epilog=options.PARTS_HELP)(label)
computing()(tag)
computing()(memory)
computing()(regions)
computing()(review)
command()(export)
computing()(reproduce)
command()(bundle)
command()(push)
command("import-masks")(import_masks)
command()(convert)
command()(prepare)


@command("import")
def import_(
    checkpoint: Annotated[Path, typer.Argument(help="A released WeCLIP checkpoint (.pth).")],
    config: Annotated[
        str,
        typer.Option(
            "--config",
            help="Preset it was trained with (voc, coco, voc-plus, coco-plus) or a YAML file.",
        ),
    ],
    out: Out,
    changes: Changes = None,
    plugin: Plugins = None,
    overwrite: Overwrite = False,
) -> None:
    """Make a model file from a checkpoint of the released WeCLIP code; nothing in it is executed.

    For example: weclip import WeCLIP_model_iter_30000.pth --config voc faithful=true
    data.root=VOC2012 clip.weights=ViT-B-16.pt --out runs/released
    """
    from weclip.config_file import load_config
    from weclip.tasks.import_published import import_published

    resolved = load_config(config, changes or (), plugins=plugin or ())
    path = import_published(checkpoint, resolved, out, overwrite=overwrite)
    screen().print(f"model: {path}", soft_wrap=True)


@computing()
def demo(
    out: Out,
    changes: Changes = None,
    seed: Annotated[int, typer.Option(min=0, help="Decides scenes and training.")] = 0,
    overwrite: Overwrite = False,
) -> None:
    """Watch the whole method work offline in minutes: make scenes, train, score, report.

    For example: weclip demo --out runs/demo, or weclip demo train.steps=200 --out runs/quick
    """
    from weclip.demo.run import run_demo

    console = screen()
    report = run_demo(out, seed=seed, console=console, overrides=changes or (), overwrite=overwrite)
    console.print(f"open {report}", soft_wrap=True, markup=False)


@computing()
def replay(
    file: Annotated[Path, typer.Argument(help="replay.ckpt of a run that stopped at NaN.")],
    changes: Changes = None,
    plugin: Plugins = None,
) -> int:
    """Run the step again at which a training stopped, and show where it broke.

    Exit code 0: it broke again; 1: it did not. For example: weclip replay runs/voc/replay.ckpt
    """
    from weclip.tasks.replay import replay as run

    return run(file, console=screen(), overrides=changes or (), plugins=plugin or ())


def main() -> None:
    """Entry point; `exits` says what the exit codes mean."""
    patient_streams()
    show_notices_in_one_line()
    keep_freed_memory()
    silence_pillow()
    let_values_follow_keys()
    sys.exit(with_what_was_printed(run(sys.argv[1:])))


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code."""
    return run_app(app, lambda: _understood(arguments))


def _understood(arguments: list[str]) -> list[str]:
    """Arguments as the commands take them; InputError for an option that is gone."""
    given = list(map(at_home_in, arguments))
    require_new_spelling(given)
    return given
