"""A run that is under way is never touched by a second command."""

import os
import signal

import pytest
from tests.end_to_end import worlds
from tests.survival import processes
from tests.survival.runs import last, wait_for_step


@pytest.fixture(scope="module")
def changes(voc_world, clip_file):
    return [*worlds.voc_changes(voc_world, clip_file), "train.steps=3000", "train.save_every=5"]


def test_a_second_command_is_refused_and_the_run_goes_on(tmp_path, changes, capsys):
    out, told = tmp_path / "run", tmp_path / "told.txt"
    process = processes.start(["train", "--config", "voc", "--out", str(out), *changes], told)
    wait_for_step(out, 6)
    for how in ("--resume", "--overwrite"):
        assert worlds.train(out, *changes, how) == 2
        line = capsys.readouterr().err
        assert f"--out {out}: a training (process {process.pid} on " in line
        assert "works there now; wait for its end, or choose another folder" in line
    before = last(out).step
    wait_for_step(out, before + 10)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    shorter = [f"train.steps={last(out).step + 1}", "--resume", "--accept-changes"]
    assert worlds.train(out, *changes, *shorter) == 0  # death has released it
    assert not (out / ".lock").exists()
