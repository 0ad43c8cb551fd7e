"""The training loop: steps, logging, evaluation, checkpoints.

Stage 5. Device, precision and processes are `accelerate`'s; only the decoder is handed to it, so
frozen weights are neither wrapped nor synchronised nor saved.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from numpy.typing import NDArray
from rich.progress import Progress, TaskID
from torch import Tensor

from weclip.data.batch import Batch
from weclip.methods.weclip import StepOutput, WeClip
from weclip.training.checkpoint import (
    Checkpoint,
    random_state,
    restore_random_state,
    save_checkpoint,
)
from weclip.training.runlog import RunLog

Evaluate = Callable[[], Mapping[str, float]]
Draw = Callable[[Batch, StepOutput], NDArray[np.uint8]]


ADVICE = "the last checkpoint is intact; try a lower optim.learning_rate or train.precision=no"


def make_accelerator(precision: str) -> Accelerator:
    """The engine of a run at `no`, `bf16` or `fp16`.

    `accelerate` keeps the first precision for the whole process; forgetting it lets one Python
    process run several trainings. Process groups stay.
    """
    AcceleratorState._reset_state()
    return Accelerator(mixed_precision=precision)


class DivergedError(RuntimeError):
    """A loss or weight became NaN or infinite; the message names step, term and what to try."""


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
        best_metric: The evaluation's entry that decides which model is best.
    """

    steps: int
    learning_rate: Callable[[int], float]
    log_every: int
    image_every: int
    eval_every: int
    save_every: int
    best_metric: str


@dataclass(frozen=True)
class Hooks:
    """What the loop calls but does not know.

    Attributes:
        evaluate: Scores of the current model; None where there is nothing to score on.
        draw: A picture of a step.
        save_model: Writes the model file of the decoder's state dict after a number of steps.
    """

    evaluate: Evaluate | None
    draw: Draw
    save_model: Callable[[Mapping[str, Tensor], int], None]


class Trainer:
    """One training run.

    Args:
        method: The method; its decoder is trained.
        optimizer: Optimiser over the decoder.
        accelerator: Device, precision and processes.
        settings: How long and how often.
        folder: Run folder.
        config: Resolved configuration as YAML, for the checkpoints.
        hooks: Evaluation, pictures and the model file.
    """

    def __init__(
        self,
        method: WeClip,
        optimizer: torch.optim.Optimizer,
        *,
        accelerator: Accelerator,
        settings: FitSettings,
        folder: Path,
        config: str,
        hooks: Hooks,
    ) -> None:
        self.accelerator = accelerator
        self.method = method.to(accelerator.device)
        self.method.decoder, self.optimizer = accelerator.prepare(method.decoder, optimizer)
        self.settings = settings
        self.checkpoints = folder / "checkpoints"
        self.config = config
        self.hooks = hooks
        self.step = 0
        self.best_score: float | None = None

    def resume(self, checkpoint: Checkpoint) -> None:
        """Continue where a checkpoint was written."""
        self.accelerator.unwrap_model(self.method.decoder).load_state_dict(checkpoint.decoder)
        self.optimizer.load_state_dict(checkpoint.optimizer)
        self.step = checkpoint.step
        self.best_score = checkpoint.best_score
        restore_random_state(checkpoint.random)

    def fit(self, batches: Iterable[Batch], log: RunLog, progress: Progress) -> None:
        """Run the remaining steps.

        Args:
            batches: Batches from the current step on.
            log: Where numbers and pictures go.
            progress: Bar to advance.

        Raises:
            DivergedError: A loss is not finite; the last checkpoint is intact.
        """
        task = progress.add_task("training", total=self.settings.steps, status="")
        progress.update(task, completed=self.step)
        self.method.train()
        self.clock = (time.monotonic(), self.step)
        for batch in batches:
            if self.step >= self.settings.steps:
                break
            on_device = batch.to(self.accelerator.device)
            rate, output = self.train_step(on_device)
            self.step += 1
            progress.update(task, completed=self.step)
            self.report(on_device, output, rate, log, progress, task)
            evaluated = self.due(self.settings.eval_every) and self.evaluate(log)
            if evaluated or self.due(self.settings.save_every):
                self.save("last")

    def train_step(self, batch: Batch) -> tuple[float, StepOutput]:
        """One optimiser step; returns its learning rate and what the method computed."""
        rate = self.settings.learning_rate(self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        with self.accelerator.autocast():
            output = self.method.training_step(batch, self.step)
        values = torch.stack(list(output.terms.values())).tolist()  # one look at the device
        for name, value in zip(output.terms, values, strict=True):
            if not isfinite(value):
                raise DivergedError(f"step {self.step}: the {name} loss is {value}; {ADVICE}")
        self.accelerator.backward(output.loss)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return rate, output

    def due(self, every: int) -> bool:
        """Whether the step just finished is the last, or one of every `every` (0: the last)."""
        return self.step == self.settings.steps or (bool(every) and self.step % every == 0)

    def report(
        self,
        batch: Batch,
        output: StepOutput,
        rate: float,
        log: RunLog,
        progress: Progress,
        task: TaskID,
    ) -> None:
        """Log losses, rate and speed, and draw, when it is time."""
        if self.due(self.settings.log_every):
            then, step_then = self.clock
            images = (self.step - step_then) * len(batch.names) * self.accelerator.num_processes
            speed = images / (time.monotonic() - then)
            values = {name: round(value.item(), 6) for name, value in output.terms.items()}
            values |= {"learning_rate": rate, "images_per_second": round(speed, 2)}
            log.scalars(self.step, values)
            status = f"loss {values['loss']:.3f}  rate {rate:.1e}  {speed:.1f} images/s"
            progress.update(task, status=status)
            self.clock = (time.monotonic(), self.step)
        if self.due(self.settings.image_every):
            log.picture(
                self.step, "image, CAM, pseudo-label, prediction", self.hooks.draw(batch, output)
            )

    def evaluate(self, log: RunLog) -> bool:
        """Score the model if possible, keep it if it is the best; whether it was scored."""
        if self.hooks.evaluate is None:
            return False
        then = time.monotonic()
        scores = self.hooks.evaluate()
        self.clock = (self.clock[0] + time.monotonic() - then, self.clock[1])
        log.scalars(self.step, {f"eval_{name}": value for name, value in scores.items()})
        score = scores[self.settings.best_metric]
        if self.best_score is None or score > self.best_score:
            self.best_score = score
            self.save("best")
        return True

    def save(self, name: str) -> None:
        """Write the checkpoint `name`; the best one is also the model file, or else the last."""
        if not self.accelerator.is_main_process:
            return
        decoder = self.accelerator.unwrap_model(self.method.decoder).state_dict()
        for part, value in decoder.items():
            if not torch.isfinite(value).all():
                raise DivergedError(
                    f"step {self.step}: the decoder's {part} is not finite; {ADVICE}"
                )
        checkpoint = Checkpoint(
            step=self.step,
            decoder=decoder,
            optimizer=self.optimizer.state_dict(),
            random=random_state(),
            config=self.config,
            best_score=self.best_score,
        )
        save_checkpoint(self.checkpoints / f"{name}.pt", checkpoint)
        if name == "best" or self.hooks.evaluate is None:
            self.hooks.save_model(decoder, self.step)
