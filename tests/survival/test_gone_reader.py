"""Whoever reads what a command prints may leave: the work goes on to its results."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.end_to_end import worlds


def run(arguments, output):
    """`python -m weclip ARGUMENTS` with this standard output and error; its exit code."""
    command = [sys.executable, "-m", "weclip", *map(str, arguments)]
    return subprocess.run(command, stdout=output, stderr=output, timeout=300).returncode


@pytest.fixture(params=["a reader that has left", "a full disk"])
def output(request):
    """An output that takes nothing, and the exit code of a command that has done its work."""
    if request.param == "a full disk":
        if not Path("/dev/full").exists():
            pytest.skip("no /dev/full here")
        with Path("/dev/full").open("wb") as full:
            yield full, 1
        return
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as gone:
        yield gone, 0


def test_a_training_and_its_scores(tmp_path, voc_world, clip_file, output):
    output, code = output
    train = ["train", "--config", "voc", *worlds.voc_changes(voc_world, clip_file)]
    assert run([*train, "--out", tmp_path / "run"], output) == code
    assert (tmp_path / "run" / "model.safetensors").is_file()
    score = ["evaluate", "--model", tmp_path / "run", "--out", tmp_path / "scores"]
    assert run(score, output) == code
    assert {"evaluation.json", "report.html"} <= worlds.folder_content(tmp_path / "scores").keys()


def test_a_mistake_keeps_its_exit_code(tmp_path, output):
    assert run(["train", "--out", tmp_path / "run"], output[0]) == 2
