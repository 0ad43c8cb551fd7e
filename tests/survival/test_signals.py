"""A signal ends a run between two steps; `--resume` continues it to the same weights."""

import os
import signal
from pathlib import Path

import pytest
from tests.end_to_end import worlds
from tests.survival import processes
from tests.survival.runs import last, wait_for_step
from tests.training.tiny_run import same

STEPS = 30


@pytest.fixture(scope="module")
def changes(voc_world, clip_file):
    return [*worlds.voc_changes(voc_world, clip_file), f"train.steps={STEPS}", "data.workers=1"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory, changes):
    """An uninterrupted run."""
    out = tmp_path_factory.mktemp("whole") / "run"
    assert worlds.train(out, *changes) == 0
    return out


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGTERM,
        signal.SIGINT,
        pytest.param(signal.SIGUSR1, marks=pytest.mark.long),
        pytest.param(signal.SIGHUP, marks=pytest.mark.long),
    ],
)
def test_a_signal_ends_the_run_saved(tmp_path, changes, whole, number):
    out, told = tmp_path / "run", tmp_path / "told.txt"
    command = ["train", "--config", "voc", "--out", str(out), *changes, "train.save_every=1000"]
    process = processes.start(command, told)
    wait_for_step(out, 2)
    os.kill(process.pid, number)
    process.join()
    assert process.exitcode == 75, told.read_text()
    step = last(out).step
    assert 2 <= step < STEPS
    name = signal.Signals(number).name
    line = f"weclip: {name} came; saved after step {step}; the same command with --resume"
    assert told.read_text().splitlines()[-1].startswith(line)
    assert worlds.train(out, *changes, "train.save_every=1000", "--resume") == 0
    assert same(last(out).trained, last(whole).trained)


def test_a_signal_to_the_whole_process_group_leaves_the_workers_to_the_run(tmp_path, changes):
    """As Ctrl-C and clusters send it; a worker that died of it would be a failure."""
    out, told = tmp_path / "run", tmp_path / "told.txt"
    process = processes.start(["train", "--config", "voc", "--out", str(out), *changes], told)
    wait_for_step(out, 2)
    children = [int(pid) for pid in children_of(process.pid)]
    assert children
    for pid in [*children, process.pid]:
        os.kill(pid, signal.SIGTERM)
    process.join()
    assert process.exitcode == 75, told.read_text()


def children_of(pid):
    """Process ids of the children of a process (Linux)."""
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
