"""`weclip demo`: the whole method on made scenes, with a report, offline and in minutes."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console

from weclip.build.predictor import build_predictor
from weclip.config import Config
from weclip.config_file import load_config
from weclip.data.batch import MaskedImage
from weclip.data.images.full_images import full_images
from weclip.demo.sprites import CREDIT, drawings_folder
from weclip.demo.world import write_world
from weclip.inference.label_maps import make_label_maps
from weclip.inference.report.overview.page import REPORT_NAME
from weclip.inference.report.page import Report, write_report
from weclip.inference.report.scenes import SceneRow, small
from weclip.inference.scores.evaluate import EvaluationResult
from weclip.inference.scores.record import scores_table
from weclip.inference.visualize import heat_overlay, overlay
from weclip.system.console import QUIET
from weclip.system.errors import InputError, RunError
from weclip.system.failures import is_out_of_memory
from weclip.system.files import RUN_MARKER, claim_folder, write_json
from weclip.system.locks import working_in
from weclip.system.provenance import versions
from weclip.system.untrusted.documents import parse_yaml
from weclip.system.untrusted.text import short
from weclip.tasks.evaluate.model import (
    RECORD_NAME,
    masked_images,
    score_labels,
    score_segmentation,
)
from weclip.tasks.load.model import LoadedModel, load_model
from weclip.tasks.train.report import curves
from weclip.tasks.train.run import train
from weclip.training.runlog import LOG_NAME, read_log

KIND = "demo"
TRAIN_SCENES = 2000
VAL_SCENES = 200
SHOWN = 6
"""Best and worst scenes of the report, this many each."""


def run_demo(
    out: Path,
    *,
    seed: int,
    console: Console = QUIET,
    overrides: Sequence[str] = (),
    scenes: tuple[int, int] = (TRAIN_SCENES, VAL_SCENES),
    overwrite: bool = False,
) -> Path:
    """Make scenes, train on their tags, score on held-out scenes, and write a report.

    Args:
        out: Output folder: `world/`, `run/`, `evaluation.json` and `report.html`.
        seed: Decides scenes and training.
        console: Where progress and scores are shown; by default nowhere.
        overrides: Changes of the preset `demo`.
        scenes: Numbers of training and of held-out scenes.
        overwrite: Replace an earlier demo in `out`.

    Returns:
        The report.
    """
    with working_in(out, KIND):
        return _run_demo(out, seed, console, overrides, scenes, overwrite=overwrite)


def _run_demo(
    out: Path,
    seed: int,
    console: Console,
    overrides: Sequence[str],
    scenes: tuple[int, int],
    *,
    overwrite: bool,
) -> Path:
    """As `run_demo`, in a folder that is held."""
    drawings_folder()
    world, run = out / "world", out / "run"
    for change in overrides:
        if change.startswith(("data.root=", "train.seed=")):
            raise InputError(f"{short(change, 99)}: the demo draws its own data, decided by --seed")
    fixed = [f"data.root={json.dumps(str(world))}", f"train.seed={seed}"]
    config = load_config("demo", [*fixed, *overrides])
    claim_folder(out, KIND, overwrite=overwrite)
    write_json(out / RUN_MARKER, {"kind": KIND, "seed": seed, "versions": versions()})
    console.print(f"Drawing {sum(scenes)} scenes, with tags for training and masks for scores.")
    write_world(world, train_scenes=scenes[0], val_scenes=scenes[1], seed=seed)
    console.print("Training from tags alone, on a frozen tiny CLIP.")
    _train(config, run, console)
    model = load_model(run, maps=True)
    samples = masked_images(model, console)
    scored = score_labels(model, samples, console=console, group_of=drawing_groups(world))
    scored |= score_segmentation(model, samples, console=console, group_of=drawing_groups(world))
    records = {name: each.record for name, each in scored.items()}
    write_json(out / RECORD_NAME, records)
    console.print(scores_table(records))
    write_report(
        out / REPORT_NAME,
        Report(
            title="weclip demo: segmentation learnt from tags",
            scores=records,
            curves=curves(read_log(run / LOG_NAME)),
            scenes=pick_scenes(model, samples, scored["Segmentation"].result),
            class_colours=model.file.classes.colours_by_name,
            credits=[CREDIT],
            settings=parse_yaml(model.file.config, "configuration"),
        ),
    )
    return out / REPORT_NAME


def _train(config: Config, run: Path, console: Console) -> None:
    """Train; where memory ends, its advice is for a run that can go on, which the demo cannot."""
    try:
        train(config, run, console=console)
    except RunError as error:
        if error.__cause__ is not None and is_out_of_memory(error.__cause__):
            raise error.__cause__ from None
        raise


def drawing_groups(world: Path) -> Callable[[str], str]:
    """Which held-out scenes show a drawing that training never showed."""
    path = world / "ImageSets" / "Segmentation" / "val_unseen.txt"
    unseen = set(path.read_text(encoding="utf-8").split())
    return lambda name: "unseen drawings" if name in unseen else "seen drawings"


def pick_scenes(
    model: LoadedModel, samples: Sequence[MaskedImage], result: EvaluationResult
) -> list[SceneRow]:
    """Pictures of the best and the worst held-out scenes."""
    ranked = result.ranked()
    notes = dict.fromkeys(ranked[:SHOWN], "best") | dict.fromkeys(ranked[-SHOWN:], "worst")
    by_name = {sample.name: sample for sample in samples}
    return [
        scene_row(model, by_name[name], f"{note}, {100 * result.image_miou[name]:.0f}")
        for name, note in notes.items()
    ]


def scene_row(model: LoadedModel, sample: MaskedImage, note: str) -> SceneRow:
    """One scene's image, CAM, pseudo-label, prediction and truth."""
    item = next(full_images([sample], num_classes=model.file.classes.num_classes))
    predictor = build_predictor(model.config, model.method)
    maps = make_label_maps(
        model.method,
        item,
        long_side=model.config.eval.side,
        step=model.file.step,
        precision=predictor.precision,
    )
    palette = model.file.classes.palette
    pseudo_label = maps.label_map["pseudo_label"].numpy().astype(np.uint8)
    pictures = [
        ("image", Image.fromarray(item.image)),
        ("CAM", heat_overlay(item.image, maps.heat)),
        ("pseudo-label", overlay(item.image, pseudo_label, palette=palette)),
        ("prediction", overlay(item.image, predictor(item.image), palette=palette)),
        ("truth", overlay(item.image, item.mask, palette=palette)),
    ]
    return SceneRow(item.name, note, [(name, small(picture)) for name, picture in pictures])
