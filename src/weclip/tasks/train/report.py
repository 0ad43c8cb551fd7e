"""The report of `weclip train`: how it went, and what the model finds in the images.

It is made when all is saved, by the first process alone, and in bounded time (`tasks/report`).
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from weclip.build.method import load_trained
from weclip.build.predictor import eval_precision
from weclip.config import Config, whole
from weclip.config_file import flatten, to_yaml
from weclip.inference.report.overview import advice
from weclip.inference.report.overview.advice import Advice, Points
from weclip.inference.report.overview.cards import MOST_SCENES, Section
from weclip.inference.report.overview.classes import ClassRow, class_rows
from weclip.inference.report.overview.page import REPORT_NAME, Overview, write_overview
from weclip.inference.report.overview.scene import most_doubtful, worst_scored
from weclip.inference.scores.evaluate import EvaluationResult
from weclip.methods.method import Method
from weclip.system.distributed import connect, default_device
from weclip.tasks.datasets import open_configured
from weclip.tasks.load.cutter import cuts_images
from weclip.tasks.load.model import MODEL_NAME
from weclip.tasks.regions.of_model import by_name
from weclip.tasks.report.data import images_by_class, images_by_tags, tags_found
from weclip.tasks.report.harmless import harmless
from weclip.tasks.report.looked import SECONDS, Looked, look_at_masked, look_at_tagged
from weclip.tasks.report.repeat import repeat_command, suspects_command
from weclip.tasks.train.evaluation import quick_predictor
from weclip.tasks.train.inputs import Inputs, regions_to_predict
from weclip.training.model_file import ModelFile, read_model_file
from weclip.training.runlog import LOG_NAME, read_log
from weclip.training.signals import StopAtOnce

SPEEDS = ("learning_rate", "images_per_second")
"""What a log line holds beside losses."""

STOPPED = f"the model is saved, {REPORT_NAME} is not; the same command with --resume writes it"
"""Said where a signal comes before the report is there."""

Rows = Sequence[Mapping[str, float]]


def report_training(
    out: Path, config: Config, inputs: Inputs, method: Method, console: Console, *, again: bool
) -> Path | None:
    """Write `report.html` and `scenes.csv` of a finished run; an error is one line of warning.

    Args:
        out: Run folder, with model and log.
        config: Resolved configuration.
        inputs: What was learnt from.
        method: The method, which has the weights of the model file afterwards.
        console: Where a failure is told.
        again: Whether this command had nothing left to train; then a report that is there is kept.

    Returns:
        The page; None in other processes, or where it failed.

    Raises:
        StoppedError: A signal came before it was written.
    """
    path = out / REPORT_NAME
    if not connect().is_main_process:
        return None
    if again and path.is_file():
        return path
    console.print(
        f"looking at images for the report, {SECONDS / 60:.0f} minutes at most of each split",
        highlight=False,
    )
    with StopAtOnce(STOPPED), harmless(console, REPORT_NAME):
        file = read_model_file(out / MODEL_NAME)
        load_trained(method, file.trained, out / MODEL_NAME)
        predictor = quick_predictor(config, method)
        small = replace(predictor, long_side=looking_side(config))
        reading, palette = config.data.reading, inputs.classes.palette
        regions = regions_to_predict(config, inputs)
        tagged = look_at_tagged(
            small,
            inputs.images,
            palette,
            split=config.data.train_split,
            reading=reading,
            console=console,
            regions=by_name(regions, inputs.images),
        )
        masked = look_at_masked(
            predictor,
            inputs.masked,
            palette,
            split=config.data.eval_split or "",
            num_classes=inputs.classes.num_classes,
            reading=reading,
            console=console,
            regions=by_name(regions, inputs.masked),
        )
        return write_overview(out, _overview(out, config, inputs, file, tagged, masked))
    return None


def looking_side(config: Config) -> int:
    """Long side that training images are looked at with: a crop's, or that of evaluations if less.

    Nothing is scored on them, and the time of a look grows faster than the pixels.
    """
    crop = whole(config.data.crop_size)
    return min(crop, config.eval.side or crop)


def _overview(
    out: Path, config: Config, inputs: Inputs, file: ModelFile, tagged: Looked, masked: Looked
) -> Overview:
    classes, log = inputs.classes, read_log(out / LOG_NAME)
    names, data = classes.names_with_background, config.data
    result = masked.tally.result() if masked.tally and masked.tally.image_miou else None
    rows = class_rows(
        tagged.scenes,
        num_classes=classes.num_classes,
        images=images_by_class(inputs.images, len(classes.names)),
        iou=None if result is None else result.scores.per_class_iou,
    )
    matrix = masked.tally.total.numpy() if masked.tally and result else None
    settings = flatten(to_yaml(config))
    side = config.eval.side
    size = f"a long side of {side} pixels" if side else "their own size"
    size += f", in {eval_precision(config, default_device())}"
    scored = (
        f"Model of step {file.step} on {_of(masked)} of {data.eval_split}, at one scale, {size}."
    )
    counted = [("images", f"{len(inputs.images):,}", f"of split {data.train_split}")]
    counted.append(("classes", str(len(classes.names)), "without background"))
    return Overview(
        title=f"Training: {out.name or out}",
        lead=f"A segmenter learnt from tags. The model kept is that of step {file.step:,}. It is "
        "not told the tags of the images below; they stand beside what it finds.",
        headline=[*counted, _score(log, result, masked, config), tags_found(tagged.scenes)],
        advice=_advice(out, config, tagged, rows, names, log, matrix is not None)
        + advice.mixed_up(matrix, names)
        + [_use(out, config)],
        data=open_configured(config).understood(data.train_split, data.eval_split),
        tag_counts=images_by_tags(inputs.images),
        curves=curves(log),
        rows=rows,
        matrix=matrix,
        scored=scored,
        sections=_sections(tagged, masked, config),
        scenes=most_doubtful(tagged.scenes) + worst_scored(masked.scenes),
        command=repeat_command("train", settings, out, plugins=config.PLUGINS),
        settings=settings,
        classes=classes,
    )


def _sections(tagged: Looked, masked: Looked, config: Config) -> list[Section]:
    """Half of the room for each kind of images, and what one does not need for the other."""
    half, side = MOST_SCENES // 2, looking_side(config)
    train = Section(
        "Training images",
        f"Looked at {_of(tagged)}, at a long side of {side} pixels. Most doubtful first: a tag "
        "that is nowhere, something that no tag says, low confidence.",
        most_doubtful(tagged.scenes),
        tagged.panels,
        most=MOST_SCENES - min(half, len(masked.scenes)),
    )
    scored = Section(
        f"Images with masks: {config.data.eval_split}",
        f"Looked at {_of(masked)}. Lowest mIoU first; means of single images are no score.",
        worst_scored(masked.scenes),
        masked.panels,
    )
    return [train, scored]


def _score(
    log: Rows, result: EvaluationResult | None, masked: Looked, config: Config
) -> tuple[str, str, str]:
    """The headline's score: that of the model kept, over all images if the log has it."""
    key = f"eval_{config.train.best_metric}"
    best = max((row for row in log if key in row), key=lambda row: row[key], default=None)
    if best is not None and "eval_miou" in best:
        return "mIoU", f"{100 * best['eval_miou']:.1f}", f"% on {masked.of:,} images with masks"
    if result is not None:
        return "mIoU", f"{100 * result.scores.miou:.1f}", f"% on {_of(masked)}"
    return "mIoU", "–", "no masks to score on"


def curves(log: Rows) -> dict[str, Points]:
    """Losses, learning rate and scores by step; what was logged only once is no curve."""
    keys = list(dict.fromkeys(key for row in log for key in row if key != "step"))
    losses = [key for key in keys if not key.startswith("eval_") and key not in SPEEDS]
    titles = {key: f"{key} loss".replace("_", " ") for key in losses if key != "loss"}
    titles = {"loss": "loss", **titles}
    titles |= {"learning_rate": "learning rate", "eval_miou": "mIoU"}
    found = {title: _points(log, key) for key, title in titles.items()}
    return {title: points for title, points in found.items() if len(points) > 1}


def _points(log: Rows, key: str) -> list[tuple[float, float]]:
    return [(row["step"], row[key]) for row in log if key in row]


def _advice(
    out: Path,
    config: Config,
    tagged: Looked,
    rows: Sequence[ClassRow],
    names: Sequence[str],
    log: Rows,
    has_masks: bool,
) -> list[Advice]:
    scores = ["weclip", "evaluate", "--model", str(out), *region_files(config)]

    def longer(steps: int) -> str:
        settings = flatten(to_yaml(config)) | {"train.steps": steps}
        settings |= {"train.epochs": None} if "train.epochs" in settings else {}
        place = out.with_name(f"{out.name}-{steps}")
        return repeat_command("train", settings, place, plugins=config.PLUGINS)

    found = advice.convergence(_points(log, "loss"), _points(log, "eval_miou"), longer)
    doubts = suspects_command(flatten(to_yaml(config)), out, config.PLUGINS)
    found += advice.lost_tags(tagged.scenes, names, doubts) + advice.untold_classes(
        tagged.scenes, names
    )
    if not has_masks:
        found += advice.exchanged(tagged.scenes, names)
        found += advice.no_masks(
            shlex.join([*scores, "data.eval_split=val", "--out", f"{out}-scores"]),
            "images that are not trained on",
        )
    return found + advice.few_images(rows, names) + advice.unsure(tagged.scenes)


def region_files(config: Config) -> list[str]:
    """What a command adds for a model that reads regions in files of every image."""
    wanted = config.regions.files is not None and cuts_images(config)
    return ["regions.files=FOLDER"] if wanted else []


def _use(out: Path, config: Config) -> Advice:
    """The command that uses the model."""
    line = ["weclip", "predict", "--model", str(out), "--out", f"{out}-predictions", "IMAGES"]
    line += region_files(config)
    return Advice(
        "Use the model",
        "It labels images that nobody has tagged: files or folders.",
        shlex.join(line),
    )


def _of(looked: Looked) -> str:
    """How many of how many images."""
    return f"{len(looked.scenes):,} of {looked.of:,} images"
