"""What the tests of survival ask of a run."""

import time
from pathlib import Path

from weclip.training.checkpoint import Checkpoint, latest_checkpoint
from weclip.training.runlog import LOG_NAME, read_log


def last(run: Path) -> Checkpoint:
    """The newest whole checkpoint of a run."""
    checkpoint, _ = latest_checkpoint(run / "checkpoints")
    assert checkpoint is not None
    return checkpoint


def wait_for_step(out: Path, step: int) -> None:
    """Return when the run's log has come to a step."""
    for _ in range(6000):
        if any(row["step"] >= step for row in read_log(out / LOG_NAME)):
            return
        time.sleep(0.01)
    raise AssertionError("the run does not get on")
