"""What a training gives back."""

from dataclasses import dataclass
from pathlib import Path


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
    """

    out: Path
    model: Path
    steps: int
    scores: dict[str, float] | None
    report: Path | None
    images: Path
