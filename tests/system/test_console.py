"""What is shown is never a reason for the work to end."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from weclip.system.console import PatientFile, show_notices_in_one_line
from weclip.system.errors import Notice

WORK = """
import os, sys
from rich.console import Console
from weclip.system.console import patient_streams
patient_streams()
for number in range(2000):
    Console().print(f"line {number} caf\\udce9 \u4e2d")
Console(stderr=True).print("told")
os.write(int(sys.argv[1]), b"done")
"""


def work(stdout, stderr=None, **options):
    """Run the work; its exit code, and what it got done."""
    done, tell = os.pipe()
    command = [sys.executable, "-c", WORK, str(tell)]
    process = subprocess.Popen(command, stdout=stdout, stderr=stderr, pass_fds=[tell], **options)
    os.close(tell)
    code = process.wait(60)
    with os.fdopen(done, "rb") as file:
        return code, file.read()


def test_a_reader_that_leaves():
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as gone:
        assert work(gone, gone) == (0, b"done")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_under_a_redirection():
    with Path("/dev/full").open("wb") as full:
        assert work(full, full) == (0, b"done")


def test_closed_outputs():
    for number in (1, 2):
        close = f"import os, sys; os.close({number}); os.execv(sys.executable, sys.argv[1:])"
        done, tell = os.pipe()
        command = [sys.executable, "-c", close, sys.executable, "-c", WORK, str(tell)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, pass_fds=[tell])
        os.close(tell)
        assert process.wait(60) == 0
        with os.fdopen(done, "rb") as file:
            assert file.read() == b"done"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_characters_that_the_terminal_lacks_are_escaped(encoding, tmp_path):
    with (tmp_path / "told").open("wb") as file:
        env = os.environ | {"PYTHONIOENCODING": encoding}
        assert work(file, env=env) == (0, b"done")
    told = (tmp_path / "told").read_bytes().decode(encoding)
    shown = {"utf-8": "\u4e2d"}.get(encoding, "\\u4e2d")
    assert f"line 1999 caf\\udce9 {shown}" in told


def test_an_output_that_is_full_for_a_moment_loses_nothing():
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    content = bytes(200_000)
    child = os.fork()
    if child == 0:
        os.close(reader)
        file, view = PatientFile(writer, "w"), memoryview(content)
        while view:
            view = view[file.write(view) :]
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        assert file.read() == content
    assert os.waitpid(child, 0)[1] == 0


def test_notices_are_one_line_and_other_warnings_are_not_ours(monkeypatch):
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    usual = warnings.formatwarning("a", UserWarning, "file.py", 3)
    show_notices_in_one_line()
    assert warnings.formatwarning("a\nb", Notice, "file.py", 3) == "weclip: warning: a b\n"
    assert warnings.formatwarning("a", UserWarning, "file.py", 3) == usual
