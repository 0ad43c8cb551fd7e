"""Ctrl-C is one line and exit code 130."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.data.builders import write_image

WAITING = """
import sys
from weclip.cli import app
from weclip.data.inspection import file_facts
read, pipe = file_facts.read_facts, sys.argv.pop(1)
def read_late(image, *given, **more):
    if image.name == "0.png":
        open(pipe).read()
    return read(image, *given, **more)
file_facts.read_facts = read_late
app.main()
"""
"""The command, whose first image takes until somebody opens and closes the pipe."""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pipe in the file system")
@pytest.mark.parametrize("images", [1, 40], ids=["one process", "a pool"])
def test_check(tmp_path: Path, images: int):
    names = [f"{index}.png" for index in range(images)]
    (tmp_path / "tags.csv").write_text("image,tags\n" + "".join(f"{name},dog\n" for name in names))
    (tmp_path / "classes.yaml").write_text("classes: [{name: dog}]\nbackground_words: [sky]\n")
    for name in names:
        write_image(tmp_path / name)
    pipe = tmp_path / ".pipe"
    os.mkfifo(pipe)  # who reads it waits for who writes it
    data = [f"data.root={tmp_path}", f"data.classes={tmp_path}/classes.yaml"]
    command = subprocess.Popen(
        [sys.executable, "-c", WAITING, str(pipe), "check", "--config", "folder", *data],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with pipe.open("wb"):  # waits until it is being read
        os.killpg(command.pid, signal.SIGINT)
        if images == 1:
            assert command.wait(60) == 130
    _, said = command.communicate(timeout=60)
    assert command.returncode == 130
    assert said == "weclip: interrupted\n"


@pytest.mark.skipif(not hasattr(os, "register_at_fork"), reason="needs fork")
def test_an_interrupt_does_not_hit_processes_that_only_begin(tmp_path: Path):
    """Ctrl-C reaches each process of `check` right after its fork; the check goes on."""
    for index in range(40):
        write_image(tmp_path / f"{index}.png")
    rows = "".join(f"{index}.png,dog\n" for index in range(40))
    (tmp_path / "tags.csv").write_text(f"image,tags\n{rows}")
    hit = "os.register_at_fork(after_in_child=lambda: os.kill(os.getpid(), signal.SIGINT))"
    run = f"sys.exit(cli.run(['check', {str(tmp_path)!r}]))"
    code = f"import os, signal, sys\nfrom weclip.cli import app as cli\n{hit}\n{run}"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (found.stderr, found.returncode) == ("", 1)  # warned of: all images are the same
