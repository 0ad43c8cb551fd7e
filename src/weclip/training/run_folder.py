"""What a run keeps in its folder to survive: checkpoints, the best one, a step that failed.

Stage 5.
"""

from collections.abc import Mapping
from errno import ENOENT
from pathlib import Path

import torch
from torch import Tensor

from weclip.system.errors import DivergedError, InputError
from weclip.system.files import RUN_MARKER
from weclip.training.checkpoint import (
    BEST,
    Checkpoint,
    keep_checkpoints,
    load_checkpoint,
    save_checkpoint,
    saved_steps,
    step_path,
)
from weclip.training.replay import REPLAY_NAME, Replay, save_replay

CHECKPOINTS = "checkpoints"
ADVICE = "try a lower optim.learning_rate or train.precision=float32"


class RunFolder:
    """Checkpoints of a run.

    Args:
        path: Run folder, with its marker in it.
        keep_last: How many checkpoints stay, the best one apart.
        writes: Whether this process writes; all but one of several processes do not.
    """

    def __init__(self, path: Path, *, keep_last: int, writes: bool = True) -> None:
        self.path = path
        self.checkpoints = path / CHECKPOINTS
        self.keep_last = keep_last
        self.writes = writes

    def save_step(self, checkpoint: Checkpoint) -> None:
        """Write the checkpoint of a step and delete those that are no longer kept."""
        self._save(step_path(self.checkpoints, checkpoint.step), checkpoint)
        if self.writes:
            keep_checkpoints(self.checkpoints, until=checkpoint.step, count=self.keep_last)

    def save_best(self, checkpoint: Checkpoint) -> None:
        """Write the checkpoint with the best score."""
        self._save(self.checkpoints / BEST, checkpoint)

    def save_replay(self, replay: Replay) -> Path:
        """Write a step that failed; where it is."""
        path = self.path / REPLAY_NAME
        if self.writes:
            self._require_folder()
            save_replay(path, replay)
        return path

    def diverged(self, replay: Replay, reason: str) -> DivergedError:
        """Keep a step that failed, and say so."""
        path = self.save_replay(replay)
        return DivergedError(
            f"step {replay.step}: {reason}; {ADVICE}; {self.kept()}; "
            f"weclip replay {path} runs this step again"
        )

    def kept(self) -> str:
        """What a user can count on after a failure."""
        steps = saved_steps(self.checkpoints)
        if not steps:
            return "no checkpoint was written yet"
        return f"the checkpoint after step {steps[-1]} is intact: continue with --resume"

    def best(self) -> Checkpoint | None:
        """The checkpoint with the best score; None if it is not there or damaged."""
        try:
            return load_checkpoint(self.checkpoints / BEST)
        except InputError:
            return None

    def require_sound(self, trained: Mapping[str, Tensor], step: int) -> None:
        """Raise unless the folder is there and all weights are finite; asked before each write."""
        self._require_folder()
        self._require_finite(trained, step)

    def _save(self, path: Path, checkpoint: Checkpoint) -> None:
        if not self.writes:
            return
        self.require_sound(checkpoint.trained, checkpoint.step)
        save_checkpoint(path, checkpoint)

    def _require_folder(self) -> None:
        """A folder that has gone, with its disk perhaps, is not made anew in its place."""
        if not (self.path / RUN_MARKER).is_file():
            raise FileNotFoundError(ENOENT, "it has gone", str(self.path))

    def _require_finite(self, trained: Mapping[str, Tensor], step: int) -> None:
        for name, value in trained.items():
            if not torch.isfinite(value).all():
                raise DivergedError(
                    f"step {step}: the weight {name} is not finite; {ADVICE}; {self.kept()}"
                )
