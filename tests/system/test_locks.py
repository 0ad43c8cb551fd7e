"""One command at a time works in an output folder; death releases it."""

import errno
import multiprocessing
import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from weclip.system import locks
from weclip.system.errors import InputError, Notice
from weclip.system.files import RUN_MARKER, claim_folder, write_json
from weclip.system.locks import LOCK_NAME, working_in, working_on

HOLD = """
import sys, time
from pathlib import Path
from weclip.system.locks import working_in
with working_in(Path(sys.argv[1]), "training"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_command_is_told_who_works_there(tmp_path):
    who = rf"a training \(process {os.getpid()} on .+, since 20.+\) works there now; wait"
    with (
        working_in(tmp_path / "run", "training"),
        pytest.raises(InputError, match=who),
        working_in(tmp_path / "run", "labelling"),
    ):
        pass
    with working_in(tmp_path / "run", "training"):
        pass


def test_death_releases_it(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(InputError, match=f"process {holder.pid} on"), working_in(tmp_path, "x"):
        pass
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    assert (tmp_path / LOCK_NAME).exists()
    with working_in(tmp_path, "training"):
        pass
    assert not (tmp_path / LOCK_NAME).exists()


def open_files(process):
    """Targets of a process's open files (Linux)."""
    return {str(link.readlink()) for link in Path(f"/proc/{process}/fd").iterdir()}


def test_a_forked_helper_does_not_hold_it(tmp_path):
    """Else it would stay held while a helper outlives its parent."""
    fork = multiprocessing.get_context("fork")
    ready, end = fork.Event(), fork.Event()

    def work():
        ready.set()
        end.wait()

    lock = str(tmp_path / LOCK_NAME)
    with working_in(tmp_path, "training"):
        helper = fork.Process(target=work)
        helper.start()
        ready.wait()
        assert lock not in open_files(helper.pid)
        end.set()
        helper.join()


def test_shards_hold_it_together_and_nobody_else_does(tmp_path):
    with working_in(tmp_path, "labelling", shared=True):
        with working_in(tmp_path, "labelling", shared=True):
            pass
        with pytest.raises(InputError, match="a labelling"), working_in(tmp_path, "labelling"):
            pass
        assert (tmp_path / LOCK_NAME).exists()
    assert not (tmp_path / LOCK_NAME).exists()
    with (
        working_in(tmp_path, "labelling"),
        pytest.raises(InputError, match="works there now"),
        working_in(tmp_path, "labelling", shared=True),
    ):
        pass


def test_a_folder_that_stays_empty_goes_away(tmp_path):
    with working_in(tmp_path / "a" / "b", "training"):
        pass
    assert list(tmp_path.iterdir()) == []
    with working_in(tmp_path / "a" / "b", "training"):
        (tmp_path / "a" / "kept").touch()
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["kept"]


def test_overwrite_never_touches_a_folder_that_is_worked_in(tmp_path):
    inner = tmp_path / "demo" / "run"
    inner.mkdir(parents=True)
    write_json(tmp_path / "demo" / RUN_MARKER, {"kind": "demo"})
    command = [sys.executable, "-c", HOLD, str(inner)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(InputError, match=f"a training .process {holder.pid} on"):
            claim_folder(tmp_path / "demo", "demo", overwrite=True)
        assert (tmp_path / "demo" / RUN_MARKER).exists()
        holder.kill()
    with working_in(tmp_path / "demo", "demo"):
        claim_folder(tmp_path / "demo", "demo", overwrite=True)
        assert [path.name for path in (tmp_path / "demo").iterdir()] == [LOCK_NAME]


def test_overwrite_never_touches_a_folder_that_holds_a_file_in_work(tmp_path):
    write_json(tmp_path / "demo" / RUN_MARKER, {"kind": "demo"})
    with working_on(tmp_path / "demo" / "a" / "tags.csv", "tagging"):
        locks._held, held = {}, locks._held  # as another process sees it
        try:
            with pytest.raises(InputError, match=r"demo/a: a tagging .process \d+ on"):
                claim_folder(tmp_path / "demo", "demo", overwrite=True)
        finally:
            locks._held = held
    claim_folder(tmp_path / "demo", "demo", overwrite=True)


@pytest.mark.parametrize("name", ["tags.csv", "x" * 255, "é" * 127])
def test_one_file_is_held(tmp_path, name):
    who = rf"--json .*{name}: a check \(process {os.getpid()} on "
    with (
        working_on(tmp_path / name, "check"),
        pytest.raises(InputError, match=who),
        working_on(tmp_path / name, "check", option="--json"),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_folder_held_by_no_name(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    monkeypatch.chdir(tmp_path / "a")
    with working_on(Path(), "bundle"), working_on(Path(".."), "bundle"):
        assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [".a.lock"]
        with pytest.raises(InputError, match="works there now"), working_on(tmp_path / "a", "x"):
            pass


def test_a_file_system_without_locks_is_said_once(tmp_path, monkeypatch):
    def refuse(file, how):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks.fcntl, "flock", refuse)
    with (
        pytest.warns(Notice, match=r"no locks \(No locks available\); see to it") as told,
        working_in(tmp_path, "training"),
    ):
        assert not (tmp_path / LOCK_NAME).exists()
    assert len(told) == 1


def test_where_nothing_can_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is a file; give a folder"):
        working_in(tmp_path / "file", "x").__enter__()
    with pytest.raises(InputError, match=r"/a cannot be made \(Not a directory\)"):
        working_in(tmp_path / "file" / "a", "x").__enter__()


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder that takes no file")
def test_a_folder_that_takes_no_file():
    with pytest.raises(InputError, match=r"nothing can be written there .*; choose another"):
        working_in(Path("/proc/self"), "x").__enter__()


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b'{"process": "x"}', b"\xff", b"[" * 9999])
def test_a_damaged_lock_file_says_less(tmp_path, line):
    with working_in(tmp_path, "training"):
        (tmp_path / LOCK_NAME).write_bytes(line)
        with pytest.raises(InputError, match="another process works"), working_in(tmp_path, "x"):
            pass


def test_processes_that_do_not_write_hold_nothing(tmp_path):
    with warnings.catch_warnings(action="error"), working_in(tmp_path / "a", "x", first=False):
        assert not (tmp_path / "a").exists()
