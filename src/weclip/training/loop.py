"""The training loop: steps, logging, evaluation, checkpoints.

Stage 5. Device, precision and processes are `accelerate`'s; only what the method trains is handed
to it, so frozen weights are neither wrapped nor synchronised nor saved.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import isfinite

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from rich.progress import Progress, TaskID
from torch import Tensor

from weclip.data.batch import Batch
from weclip.methods.method import Method, StepOutput
from weclip.system.distributed import everyones, total
from weclip.system.errors import DivergedError, InputError, StoppedError
from weclip.training.checkpoint import Checkpoint
from weclip.training.failures import explained_failures
from weclip.training.replay import Replay
from weclip.training.run_folder import ADVICE, RunFolder
from weclip.training.runlog import RunLog
from weclip.training.schedule import RATE_FACTOR, step_seed
from weclip.training.signals import StopRequests

Evaluate = Callable[[Callable[[], bool]], Mapping[str, float] | None]
Draw = Callable[[Batch, StepOutput], NDArray[np.uint8]]


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
    """

    evaluate: Evaluate | None
    draw: Draw
    save_model: Callable[[Mapping[str, Tensor], int], None]


class Trainer:
    """One training run.

    Args:
        method: The method.
        optimizer: Optimiser over the groups of what it trains (`build_optimizer`).
        accelerator: Device, precision and processes.
        settings: How long and how often.
        folder: Run folder.
        config: Resolved configuration as YAML, for the checkpoints.
        inputs: Digests of what the run reads, for the checkpoints.
        hooks: Evaluation, pictures and the model file.
    """

    def __init__(
        self,
        method: Method,
        optimizer: torch.optim.Optimizer,
        *,
        accelerator: Accelerator,
        settings: FitSettings,
        folder: RunFolder,
        config: str,
        inputs: Mapping[str, str],
        hooks: Hooks,
    ) -> None:
        self.accelerator = accelerator
        self.method: Method = method.to(accelerator.device)
        self.method.trained, self.optimizer = accelerator.prepare(method.trained, optimizer)
        self.settings = settings
        self.folder = folder
        self.config = config
        self.inputs = dict(inputs)
        self.hooks = hooks
        self.step = 0
        self.best_score: float | None = None
        self.evaluated_step = 0
        self.stop = StopRequests()

    def resume(self, checkpoint: Checkpoint) -> None:
        """Continue where a checkpoint was written."""
        self.accelerator.unwrap_model(self.method.trained).load_state_dict(checkpoint.trained)
        self.optimizer.load_state_dict(checkpoint.optimizer)
        if self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(checkpoint.scaler)
        self.step = checkpoint.step
        self.best_score = checkpoint.best_score
        self.evaluated_step = checkpoint.evaluated_step

    def fit(self, batches: Iterable[Batch], log: RunLog, progress: Progress) -> None:
        """Run the remaining steps.

        Args:
            batches: Batches from the current step on.
            log: Where numbers and pictures go.
            progress: Bar to advance.

        Raises:
            DivergedError: A loss is not finite.
            StoppedError: A signal came; the step was finished and saved.
            RunError: Memory, disk or another process failed.
            InputError: The data cannot be read any more; the steps before were saved.
        """
        task = progress.add_task("training", total=self.settings.steps, status="")
        progress.update(task, completed=self.step)
        self.method.train()
        self.clock = (time.monotonic(), self.step)
        with self.stop, explained_failures(lambda: (self.step, self.folder.kept())):
            if self.step:  # a signal may have come before the scores were ready
                self.evaluate_if_due(log)
            for batch in self.saving_before_failing(batches):
                if self.step >= self.settings.steps:
                    break
                on_device = batch.to(self.accelerator.device)
                rate, output, stop = self.train_step(on_device)
                self.step += 1
                progress.update(task, completed=self.step)
                self.report(on_device, output, rate, log, progress, task)
                if stop or self.due(self.settings.save_every):
                    self.save()
                if stop:
                    raise self.stopped()
                self.evaluate_if_due(log)

    def saving_before_failing(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """The batches; where one cannot be read, the steps before are saved first."""
        try:
            yield from batches
        except (InputError, RuntimeError):
            self.save()
            raise
        except (OSError, EOFError) as error:  # a worker that died took its tensors with it
            self.save()
            raise RuntimeError(f"DataLoader worker has gone ({error})") from error

    def train_step(self, batch: Batch) -> tuple[float, StepOutput, bool]:
        """One optimiser step.

        Returns:
            Its learning rate, what the method computed, with losses of all processes, and whether
            any process was asked to stop.
        """
        rate = self.settings.learning_rate(self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group[RATE_FACTOR]
        torch.manual_seed(step_seed(self.settings.seed, self.step))
        with self.accelerator.autocast():
            output = self.method.training_step(batch, self.step, total)
        asked = torch.tensor(float(self.stop.name is not None), device=output.loss.device)
        sums = total(torch.stack([*output.terms.values(), asked]))  # one look at the device
        *values, stops = sums.tolist()
        for name, value in zip(output.terms, values, strict=True):
            if not isfinite(value):
                raise self.diverged(batch, f"the {name} loss is {value}")
        self.accelerator.backward(output.loss * self.accelerator.num_processes)  # they are averaged
        self.optimizer.step()
        self.optimizer.zero_grad()
        terms = dict(zip(output.terms, sums, strict=False))
        return rate, replace(output, terms=terms), stops > 0

    def diverged(self, batch: Batch, reason: str) -> DivergedError:
        """Keep the step that failed, and say so."""
        names = [name for part in everyones(batch.names) for name in part]
        state = Replay(self.step, names, self.trained_state(), self.config, self.inputs)
        path = self.folder.save_replay(state)
        return DivergedError(
            f"step {self.step}: {reason}; {ADVICE}; {self.folder.kept()}; "
            f"weclip replay {path} runs this step again"
        )

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
            whole = batch.share.whole if batch.share else len(batch.names)
            speed = (self.step - step_then) * whole / (time.monotonic() - then)
            values = {name: float(f"{value.item():.8g}") for name, value in output.terms.items()}
            values |= {"learning_rate": rate, "images_per_second": round(speed, 2)}
            log.scalars(self.step, values)
            status = f"loss {values['loss']:.3f}  rate {rate:.1e}  {speed:.1f} images/s"
            progress.update(task, status=status)
            self.clock = (time.monotonic(), self.step)
        if self.due(self.settings.image_every):
            log.picture(
                self.step, "image, CAM, pseudo-label, prediction", self.hooks.draw(batch, output)
            )

    def evaluate_if_due(self, log: RunLog) -> None:
        """Score the model when it is time, and keep it if it is the best."""
        evaluate = self.hooks.evaluate
        done = self.evaluated_step == self.step
        if not evaluate or done or not self.due(self.settings.eval_every):
            return
        then = time.monotonic()
        scores = evaluate(lambda: self.stop.name is not None)
        if scores is None:
            self.save()
            raise self.stopped()
        self.clock = (self.clock[0] + time.monotonic() - then, self.clock[1])
        log.scalars(self.step, {f"eval_{name}": value for name, value in scores.items()})
        self.evaluated_step = self.step
        score = scores[self.settings.best_metric]
        if self.best_score is None or score > self.best_score:
            self.best_score = score
            self.folder.save_best(self.checkpoint())
            self.save_model()
        self.save()

    def stopped(self) -> StoppedError:
        """What is said when a signal has ended the run."""
        return StoppedError(
            f"{self.stop.name or 'a signal'} came; saved after step {self.step}; "
            "the same command with --resume continues"
        )

    def save(self) -> None:
        """Write the checkpoint of this step; where nothing is scored, the model too."""
        self.folder.save_step(self.checkpoint())
        if self.hooks.evaluate is None:
            self.save_model()

    def save_model(self) -> None:
        """Write the model file."""
        if self.folder.writes:
            self.hooks.save_model(self.trained_state(), self.step)

    def checkpoint(self) -> Checkpoint:
        """The run between the last step and the next."""
        scaler = self.accelerator.scaler
        return Checkpoint(
            step=self.step,
            trained=self.trained_state(),
            optimizer=self.optimizer.state_dict(),
            scaler={} if scaler is None else scaler.state_dict(),
            config=self.config,
            inputs=self.inputs,
            best_score=self.best_score,
            evaluated_step=self.evaluated_step,
        )

    def trained_state(self) -> dict[str, Tensor]:
        """The trained state dict, without what shares it between processes."""
        state: dict[str, Tensor] = self.accelerator.unwrap_model(self.method.trained).state_dict()
        return state
