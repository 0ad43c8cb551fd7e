"""What a training is told: how long, how often, and what to call.

Stage 5.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from weclip.data.batch import Batch
from weclip.methods.method import StepOutput

Evaluate = Callable[[Callable[[], bool]], Mapping[str, float] | None]
Draw = Callable[[Batch, StepOutput], NDArray[np.uint8]]


class View(Protocol):
    """What is shown of a run while it goes."""

    def begin(self, step: int) -> None:
        """The run starts, or goes on after a number of steps."""

    def advance(self, step: int, loss: float) -> None:
        """A step has ended: how many have, and its loss."""

    def scored(self, step: int, scores: Mapping[str, float], *, best: bool) -> None:
        """The model was scored; `best` if it is better than all before."""

    def warn(self, message: str) -> None:
        """Something that the user should know."""


@dataclass(frozen=True, kw_only=True)
class FitSettings:
    """How long and how often.

    Attributes:
        steps: Training steps in all.
        learning_rate: Rate of a step.
        log_every: Steps between log lines.
        image_every: Steps between pictures.
        eval_every: Steps between evaluations; 0 for only one at the end.
        save_every: Steps between checkpoints.
        seed: Decides, with the step, what dropout draws.
        best_metric: The evaluation's entry that decides which model is best.
    """

    steps: int
    learning_rate: Callable[[int], float]
    log_every: int
    image_every: int
    eval_every: int
    save_every: int
    seed: int
    best_metric: str


@dataclass(frozen=True)
class Hooks:
    """What the loop calls but does not know.

    Attributes:
        evaluate: Scores of the current model, or None where its argument, asked after each image,
            told it to stop; None where there is nothing to score on.
        draw: A picture of a step.
        save_model: Writes the model file of the trained state dict after a number of steps.
        has_model: Whether there is a model file.
    """

    evaluate: Evaluate | None
    draw: Draw
    save_model: Callable[[Mapping[str, Tensor], int], None]
    has_model: Callable[[], bool]
