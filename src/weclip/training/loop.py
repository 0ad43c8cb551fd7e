"""The training loop: steps, logging, evaluation, checkpoints.

Stage 5. Device, precision and processes are `accelerate`'s; only what the method trains is handed
to it, so frozen weights are neither wrapped nor synchronised nor saved.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from math import isfinite

import torch
from accelerate import Accelerator
from torch import Tensor

from weclip.data.batch import Batch
from weclip.methods.method import Method, StepOutput
from weclip.system.distributed import everyones, from_first
from weclip.system.errors import DivergedError, InputError, StoppedError
from weclip.training.checkpoint import Checkpoint
from weclip.training.failures import explained_failures
from weclip.training.plan import Evaluate, FitSettings, Hooks, View
from weclip.training.replay import Replay
from weclip.training.run_folder import RunFolder
from weclip.training.runlog import RunLog
from weclip.training.schedule import require_own_shapes
from weclip.training.signals import StopRequests
from weclip.training.steps.launched import Launched, Underway, Wishes
from weclip.training.steps.stepper import Stepper

FIRST_LOOK = 20.0
"""Seconds of a run after which there is something to see: a picture, a checkpoint, a model."""


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
        self.stepper = Stepper(
            method,
            self.optimizer,
            accelerator=accelerator,
            learning_rate=settings.learning_rate,
            seed=settings.seed,
        )
        self.underway = Underway(late=1 if accelerator.device.type == "cuda" else 0)
        self.settings = settings
        self.folder = folder
        self.config = config
        self.inputs = dict(inputs)
        self.hooks = hooks
        self.step = 0
        self.best_score: float | None = None
        self.evaluated_step = 0
        self.saved_step = 0
        self.first_look: float | None = None
        self.stop = StopRequests()

    def resume(self, checkpoint: Checkpoint) -> None:
        """Continue where a checkpoint was written."""
        self.accelerator.unwrap_model(self.method.trained).load_state_dict(checkpoint.trained)
        self.optimizer.load_state_dict(checkpoint.optimizer)
        if self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(checkpoint.scaler)
        require_own_shapes(self.optimizer)
        self.step = self.saved_step = checkpoint.step
        self.best_score = checkpoint.best_score
        self.evaluated_step = checkpoint.evaluated_step

    def fit(self, batches: Iterable[Batch], log: RunLog, view: View) -> None:
        """Run the remaining steps.

        Args:
            batches: Batches from the current step on.
            log: Where numbers and pictures go.
            view: What is shown of it.

        Raises:
            DivergedError: A loss is not finite.
            StoppedError: A signal came; the step was finished and saved.
            RunError: Memory, disk or another process failed.
            InputError: The data cannot be read any more; the steps before were saved.
        """
        self.view = view
        view.begin(self.step)
        self.method.train()
        self.clock = (time.monotonic(), self.step)
        self.first_look = time.monotonic() + FIRST_LOOK
        with self.stop, explained_failures(lambda: (self.step, self.folder.kept())):
            if self.step:  # death or a signal may have come before the scores or the model
                self.make_up_for_what_is_missing(log, view)
            for batch in self.saving_before_failing(batches):
                if self.step >= self.settings.steps:
                    break
                on_device = batch.to(self.accelerator.device)
                output = self.train_step(on_device)
                self.step += 1
                self.read(but=self.underway.late)
                look = self.step == self.underway.look_after
                stop = self.step >= self.underway.stop_after
                self.report(on_device, output, log, look=look)
                if stop or look or self.due(self.settings.save_every):
                    self.save(model=look and self.best_score is None)
                if stop:
                    raise self.stopped()
                self.evaluate_if_due(log, view)

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

    def train_step(self, batch: Batch) -> StepOutput:
        """Launch one optimiser step, with what this process wants after it."""
        output, launched = self.stepper(
            batch, self.step, lambda: Wishes(self.stop.name is not None, self.is_first_look())
        )
        self.underway.add(launched)
        return output

    def read(self, *, but: int = 0) -> None:
        """Read the losses of the steps that were launched, but the last few of them.

        Raises:
            DivergedError: A loss is not finite; the weights are those before its step (`Stepper`).
        """
        for launched in self.underway.read(but=but):
            for name, value in self.underway.losses.items():
                if not isfinite(value):
                    raise self.diverged(launched, f"the {name} loss is {value}")
            self.view.advance(launched.step + 1, self.underway.losses["loss"])

    def diverged(self, launched: Launched, reason: str) -> DivergedError:
        """Keep the step that failed, and say so."""
        names = [name for part in everyones(launched.names) for name in part]
        state = Replay(launched.step, names, self.trained_state(), self.config, self.inputs)
        return self.folder.diverged(state, reason)

    def due(self, every: int) -> bool:
        """Whether the step just finished is the last, or one of every `every` (0: the last)."""
        return self.step == self.settings.steps or (bool(every) and self.step % every == 0)

    def report(self, batch: Batch, output: StepOutput, log: RunLog, *, look: bool) -> None:
        """Log losses, rate and speed, and draw, when it is time."""
        if self.due(self.settings.log_every):
            self.read()
            then, step_then = self.clock
            whole = batch.share.whole if batch.share else len(batch.names)
            speed = (self.step - step_then) * whole / (time.monotonic() - then)
            values = {name: float(f"{value:.8g}") for name, value in self.underway.losses.items()}
            rate = self.settings.learning_rate(self.step - 1)
            values |= {"learning_rate": rate, "images_per_second": round(speed, 2)}
            log.scalars(self.step, values)
            self.clock = (time.monotonic(), self.step)
        if look or self.due(self.settings.image_every):
            self.read()
            log.picture(
                self.step, "image, CAM, pseudo-label, prediction", self.hooks.draw(batch, output)
            )

    def is_first_look(self) -> bool:
        """Whether it is time for something to see; only the first process's clock counts."""
        waits = self.first_look is None or time.monotonic() < self.first_look
        if waits or not self.accelerator.is_main_process:
            return False
        self.first_look = None
        return self.saved_step == 0

    def make_up_for_what_is_missing(self, log: RunLog, view: View) -> None:
        """After a resume: scores of this step that are due or not in the log, and the model file.

        The model is that of the best score; where its checkpoint has gone, that of this step.
        """
        if self.evaluated_step == self.step and not from_first(lambda: log.has_scores(self.step)):
            self.evaluated_step = 0
        self.evaluate_if_due(log, view)
        if self.hooks.has_model() or not self.folder.writes:
            return
        best = self.folder.best()
        if best is not None and best.step <= self.step:
            self.hooks.save_model(best.trained, best.step)
            return
        self.save_model()
        if self.best_score is not None:
            view.warn(
                "the checkpoint with the best score has gone; the model is that of step "
                f"{self.step}"
            )

    def evaluate_if_due(self, log: RunLog, view: View) -> None:
        """Score the model when it is time, and keep it if it is the best.

        All is saved before, so that scores that cannot be made cost no step and no model.
        """
        done = self.evaluated_step == self.step
        if self.hooks.evaluate is None or done or not self.due(self.settings.eval_every):
            return
        self.read()
        first = self.best_score is None
        if first:
            self.save_model()
        if self.saved_step != self.step:
            self.save()
        then = time.monotonic()
        scores = self.scores(self.hooks.evaluate)
        self.clock = (self.clock[0] + time.monotonic() - then, self.clock[1])
        log.scalars(self.step, {f"eval_{name}": value for name, value in scores.items()})
        self.evaluated_step = self.step
        score = scores[self.settings.best_metric]
        best = self.best_score is None or score > self.best_score
        view.scored(self.step, scores, best=best)
        if best:
            self.best_score = score
            self.folder.save_best(self.checkpoint())
            if not first:
                self.save_model()
        self.save()

    def scores(self, evaluate: Evaluate) -> Mapping[str, float]:
        """Scores of the model as it is; errors say what is saved."""
        try:
            scores = evaluate(lambda: self.stop.name is not None)
        except InputError as error:
            raise InputError(
                f"{error}; the training is saved after step {self.step}: mend it, or add "
                "data.eval_split=null --accept-changes, and continue with --resume"
            ) from error
        if scores is None:
            raise self.stopped()
        return scores

    def stopped(self) -> StoppedError:
        """What is said when a signal has ended the run."""
        return StoppedError(
            f"{self.stop.name or 'a signal'} came; saved after step {self.step}; "
            "the same command with --resume continues"
        )

    def save(self, *, model: bool = False) -> None:
        """Write the checkpoint of this step; where nothing is scored, or so told, the model too."""
        self.read()
        if model or self.hooks.evaluate is None:
            self.save_model()
        self.folder.save_step(self.checkpoint())
        self.saved_step = self.step

    def save_model(self) -> None:
        """Write the model file."""
        if self.folder.writes:
            self.folder.require_sound(self.trained_state(), self.step)
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
