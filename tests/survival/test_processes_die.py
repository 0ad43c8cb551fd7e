"""A process of several that dies ends the others soon, and the run goes on from its checkpoint."""

import os
import signal
import time
from pathlib import Path

import pytest
from tests.distributed import launch
from tests.end_to_end import worlds
from tests.survival.runs import last, wait_for_step
from tests.training.tiny_run import same

SECONDS = 45
"""The launcher waits 30 before it kills what does not end by itself."""


@pytest.fixture(scope="module")
def changes(voc_world, clip_file):
    """A run long enough to be killed."""
    base = worlds.voc_changes(voc_world, clip_file)
    return [*base, "train.steps=600", "train.save_every=5", "data.eval_split=null"]


def ranks(launcher: int) -> list[int]:
    """Process ids that a launcher started, in the order of their ranks."""
    text = Path(f"/proc/{launcher}/task/{launcher}/children").read_text()
    found = {}
    for pid in map(int, text.split()):
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        rank = [v for v in variables if v.startswith(b"RANK=")]
        if rank:
            found[int(rank[0][5:])] = pid
    return [found[rank] for rank in sorted(found)]


def test_a_killed_rank_ends_the_run(tmp_path, changes):
    out = tmp_path / "run"
    command = ["train", "--config", "voc", "--out", str(out), *changes]
    process = launch.start(2, command)
    wait_for_step(out, 10)
    os.kill(ranks(process.pid)[1], signal.SIGKILL)
    began = time.monotonic()
    process.communicate(timeout=SECONDS)
    assert time.monotonic() - began < SECONDS
    assert process.returncode != 0
    checkpoint = last(out)
    assert checkpoint.step >= 10
    shorter = [*changes, f"train.steps={checkpoint.step + 2}"]
    assert worlds.train(out, *shorter, "--resume", "--accept-changes") == 0
    assert not same(last(out).trained, checkpoint.trained)
