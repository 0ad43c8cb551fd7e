import numpy as np
import pytest

from weclip.system.distributed import make_accelerator
from weclip.system.errors import InputError
from weclip.tasks.train import trackers
from weclip.tasks.train.trackers import Tracker, require_tracker
from weclip.training.runlog import RunLog


def test_a_missing_package_is_said_before_the_work(monkeypatch):
    monkeypatch.setattr(trackers, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"wandb is not installed; pip install wandb, or leave"):
        require_tracker("wandb")
    with pytest.raises(InputError, match=r"pip install 'weclip\[tracking\]'"):
        require_tracker("tensorboard")
    require_tracker(None)


def write(folder, first, last, warn=print):
    """A part of a run, with TensorBoard."""
    accelerator = make_accelerator("float32", tracker="tensorboard", out=folder)
    board = Tracker(accelerator, "tensorboard", folder, settings={}, first_step=first, warn=warn)
    with RunLog(folder, first, board=board) as log:
        for step in range(first + 1, last + 1):
            log.scalars(step, {"loss": 1 / step})
        log.picture(last, "image", np.zeros((4, 6, 3), np.uint8))
    return board


def test_tensorboard_has_each_step_of_a_resumed_run_once(tmp_path):
    pytest.importorskip("tensorboard", reason="weclip[tracking] is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    write(tmp_path, 0, 5)
    write(tmp_path, 3, 6)  # killed after 5 steps, the checkpoint was written after 3
    board = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [event.step for event in board.Scalars("loss")] == [1, 2, 3, 4, 5, 6]
    assert board.Tags()["images"] == ["image"]


def test_a_tracker_that_does_not_open_is_one_line(tmp_path, monkeypatch):
    accelerator = make_accelerator("float32")
    monkeypatch.setattr(accelerator, "init_trackers", lambda *_, **__: 1 / 0)
    with pytest.raises(InputError, match=r"tracker=mlflow cannot be opened \(division by zero\)"):
        Tracker(accelerator, "mlflow", tmp_path, settings={}, first_step=0, warn=print)


def test_a_tracker_that_fails_is_left_and_ends_no_run(tmp_path):
    pytest.importorskip("tensorboard", reason="weclip[tracking] is not installed")
    said = []
    board = write(tmp_path, 0, 1, said.append)
    board.tracker.log = lambda *_, **__: 1 / 0
    board.scalars(2, {"loss": 1.0})
    board.scalars(3, {"loss": 1.0})
    assert len(said) == 1
    assert "tensorboard failed and is left (division by zero)" in said[0]
