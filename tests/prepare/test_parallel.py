import os
import signal
from pathlib import Path

import pytest

from weclip.prepare.parallel import for_each
from weclip.system.errors import InputError


def work(path: Path) -> None:
    if path.name == "refused":
        raise InputError("refused: no good")
    if path.name == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    path.write_text(str(os.getpid()))


def test_everything_is_done_elsewhere_and_told(tmp_path):
    told = []
    paths = [tmp_path / str(i) for i in range(100)]
    for_each(work, paths, "work", lambda *what: told.append(what))
    assert str(os.getpid()) not in {path.read_text() for path in paths}
    assert told == [("work", i, 100) for i in range(1, 101)]


def test_nothing_to_do(tmp_path):
    for_each(work, [], "work", lambda *_: pytest.fail("nothing was done"))


def test_an_error_ends_the_work(tmp_path):
    paths = [tmp_path / "refused", *(tmp_path / str(i) for i in range(1000))]
    with pytest.raises(InputError, match="refused: no good"):
        for_each(work, paths, "work", lambda *_: None)
    assert len(list(tmp_path.iterdir())) < 1000


def test_a_killed_process_is_said(tmp_path):
    with pytest.raises(InputError, match=r"work: a process was killed, .* run again to continue"):
        for_each(work, [tmp_path / "a", tmp_path / "killed"], "work", lambda *_: None)


def test_an_interrupt_is_passed_on_at_once(tmp_path):
    def interrupt(what: str, done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    paths = [tmp_path / str(i) for i in range(20_000)]
    with pytest.raises(KeyboardInterrupt):
        for_each(work, paths, "work", interrupt)
    assert len(list(tmp_path.iterdir())) < 20_000
