"""Whoever reads what a command prints may leave: the work goes on to its results."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.end_to_end import worlds
from tests.survival import processes

STREAMS = {"a reader that has left": ("gone", 0), "a full disk": ("/dev/full", 1)}
"""Outputs that take nothing, and the exit code of a command that has done its work."""


@pytest.fixture(params=STREAMS)
def stream(request):
    """One of them."""
    name, code = STREAMS[request.param]
    if name != "gone" and not Path(name).exists():
        pytest.skip(f"no {name} here")
    return name, code


def run(arguments, stream, folder):
    """`weclip ARGUMENTS` with this standard output and error; its exit code."""
    process = processes.start([*map(str, arguments)], folder / "unused.txt", stream=stream)
    process.join()
    return process.exitcode


def test_a_training_and_its_scores(tmp_path, voc_world, clip_file, stream):
    stream, code = stream
    train = ["train", "--config", "voc", *worlds.voc_changes(voc_world, clip_file)]
    assert run([*train, "--out", tmp_path / "run"], stream, tmp_path) == code
    assert (tmp_path / "run" / "model.safetensors").is_file()
    score = ["evaluate", "--model", tmp_path / "run", "--out", tmp_path / "scores"]
    assert run(score, stream, tmp_path) == code
    assert {"evaluation.json", "report.html"} <= worlds.folder_content(tmp_path / "scores").keys()


def test_a_mistake_keeps_its_exit_code(tmp_path, stream):
    assert run(["train", "--out", tmp_path / "run"], stream[0], tmp_path) == 2


def test_a_process_of_its_own(tmp_path, voc_world):
    """Not forked from another; `convert` starts quickly, and tells of its work."""
    reader, writer = os.pipe()
    os.close(reader)
    table = tmp_path / "tags.jsonl"
    command = ["convert", str(voc_world / "tags.csv"), str(table), "--classes", "voc"]
    with os.fdopen(writer, "wb") as gone:
        done = subprocess.run([sys.executable, "-m", "weclip", *command], stdout=gone, stderr=gone)
    assert done.returncode == 0
    assert table.is_file()
