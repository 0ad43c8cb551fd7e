"""What a training gives back."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from weclip.config import Config, whole
from weclip.inference.report.overview.page import REPORT_NAME
from weclip.tasks.load.cutter import cuts_images
from weclip.tasks.load.model import MODEL_NAME
from weclip.training.runlog import LOG_NAME, is_evaluation, read_log


@dataclass(frozen=True)
class TrainResult:
    """A finished training.

    Attributes:
        out: Run folder.
        model: The model file.
        steps: Training steps, of all parts of the run.
        scores: Scores of the model in 0..1 by name, such as `miou`; None where no masks were.
        report: Page about the run; None if none was written.
        images: Folder of the images that it learnt from.
        regions: Folder of their regions, where the model reads such of every image; else None.
    """

    out: Path
    model: Path
    steps: int
    scores: dict[str, float] | None
    report: Path | None
    images: Path
    regions: Path | None = None


def read_result(out: Path, config: Config, images: Sequence[Path]) -> TrainResult:
    """What a finished run has left in its folder.

    Args:
        out: Run folder.
        config: The run's configuration.
        images: Files that it learnt from.
    """
    rows = [scores_of(row) for row in read_log(out / LOG_NAME) if is_evaluation(row)]
    report, files = out / REPORT_NAME, config.regions.files
    return TrainResult(
        out=out,
        model=out / MODEL_NAME,
        steps=whole(config.train.steps),
        scores=max(rows, key=lambda scores: scores[config.train.best_metric], default=None),
        report=report if report.is_file() else None,
        images=Path(os.path.commonpath([path.parent for path in images])),
        regions=Path(files) if files is not None and cuts_images(config) else None,
    )


def scores_of(row: Mapping[str, float]) -> dict[str, float]:
    """Scores of an evaluation's line of the log."""
    return {
        name.removeprefix("eval_"): value for name, value in row.items() if name.startswith("eval_")
    }
