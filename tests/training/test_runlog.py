import numpy as np
import pytest
from PIL import Image

from weclip.training.runlog import LOG_NAME, RunLog, parse_log, progress_bar, read_log


def steps(folder):
    return [row["step"] for row in read_log(folder / LOG_NAME)]


def write(folder, first, last):
    """Log the steps after `first`, as the loop does: the number of steps done."""
    with RunLog(folder, first) as log:
        for step in range(first + 1, last + 1):
            log.scalars(step, {"loss": 1 / step})


class Board:
    """Keeps what it is told."""

    def __init__(self):
        self.told = []

    def scalars(self, step, values):
        self.told.append((step, dict(values)))

    def picture(self, step, name, image, file):
        self.told.append((step, name, image.shape, file.name))

    def close(self):
        self.told.append("closed")


def test_lines_and_pictures_and_what_a_board_is_told(tmp_path):
    board = Board()
    with RunLog(tmp_path, 0, board=board) as log:
        log.scalars(1, {"loss": 0.5, "learning_rate": 1e-3})
        log.picture(1, "image", np.zeros((4, 6, 3), np.uint8))
    assert read_log(tmp_path / LOG_NAME) == [{"step": 1, "loss": 0.5, "learning_rate": 1e-3}]
    assert Image.open(tmp_path / "pictures" / "step-000000001.png").size == (6, 4)
    picture = (1, "image", (4, 6, 3), "step-000000001.png")
    assert board.told == [(1, {"loss": 0.5, "learning_rate": 1e-3}), picture, "closed"]


def test_a_resumed_log_has_each_step_once_and_loses_none(tmp_path):
    write(tmp_path, 0, 5)
    write(tmp_path, 3, 6)  # killed after 5 steps, the checkpoint was written after 3
    assert steps(tmp_path) == [1, 2, 3, 4, 5, 6]


def test_a_line_cut_off_by_a_kill_is_dropped(tmp_path):
    write(tmp_path, 0, 3)
    path = tmp_path / LOG_NAME
    path.write_text(path.read_text()[:-5])
    assert steps(tmp_path) == [1, 2]
    write(tmp_path, 2, 3)
    assert steps(tmp_path) == [1, 2, 3]


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"3",
        b"[1]",
        b"{}",
        b'{"step": "2"}',
        b'{"step": 2, "loss": "low"}',
        b"\xff",
        b"[" * 9999,
    ],
)
def test_a_damaged_line_is_left_out_and_counted(tmp_path, line):
    write(tmp_path, 0, 3)
    path = tmp_path / LOG_NAME
    first, _, last = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + line + b"\n" + last)
    assert ([row["step"] for row in parse_log(path)[0]], parse_log(path)[1]) == ([1, 3], 1)
    with RunLog(tmp_path, 3) as log:
        assert log.damaged == 1
    assert parse_log(path) == (read_log(path), 0)


def test_no_log_yet(tmp_path):
    assert read_log(tmp_path / LOG_NAME) == []


def test_other_processes_write_nothing(tmp_path):
    with RunLog(tmp_path, 0, writes=False) as log:
        log.scalars(1, {"loss": 1.0})
        log.picture(1, "image", np.zeros((4, 6, 3), np.uint8))
    assert list(tmp_path.iterdir()) == []


def test_the_bar_shows_steps_and_status(tmp_path):
    from rich.console import Console

    with (tmp_path / "screen").open("w+") as screen:
        with progress_bar(Console(file=screen, width=80)) as progress:
            task = progress.add_task("training", total=4, status="")
            progress.update(task, completed=2, status="loss 0.5")
        screen.seek(0)
        shown = screen.read()
    assert "training" in shown
    assert "2/4" in shown
    assert "loss 0.5" in shown
    assert all(len(line) <= 80 for line in shown.splitlines())
