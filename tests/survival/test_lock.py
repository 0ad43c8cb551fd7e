"""A run that is under way is never touched by a second command."""

import os
import signal
from pathlib import Path

import pytest
from tests.end_to_end import worlds
from tests.survival import processes
from tests.survival.runs import last, wait_for_step

from weclip.cli import app as cli
from weclip.system.locks import working_in, working_on

DATA = ["data.root=photos", "clip.weights=x.pt"]
LINES = {
    "train": ["--config", "voc", *DATA, "--out", "run"],
    "train --seeds": ["--config", "voc", *DATA, "--seeds", "0,1", "--out", "run"],
    "label": ["--config", "voc", *DATA, "--out", "run"],
    "predict": ["photos/a.png", "--model", "model", "--out", "run"],
    "evaluate": ["--model", "model", "--out", "run"],
    "evaluate --masks": ["--masks", "photos", "photos", "--out", "run"],
    "import": ["x.pth", "--config", "voc", *DATA, "--out", "run"],
    "demo": ["--out", "run"],
    "prepare": ["voc", "--root", "run"],
    "reproduce": ["voc", "--root", "photos", "--out", "run"],
    "bundle": ["model", "--out", "run"],
    "export": ["--model", "model", "--out", "run/model.onnx"],
    "tag": ["photos", "clip.weights=x.pt", "--out", "run/tags.csv"],
    "check": ["photos", "--json", "run/check.json"],
    "convert": ["tags.jsonl", "run/tags.csv", "--classes", "voc"],
    "regions": ["photos", "--out", "run"],
}
"""A command line that writes, of every command; it is refused before anything is read."""
FILES = {
    "bundle": "--out run",
    "export": "--out run/model.onnx",
    "tag": "--out run/tags.csv",
    "check": "--json run/check.json",
    "convert": "run/tags.csv",
}
"""Those that hold one file, or a folder that is renamed to its place, and how they call it."""


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
        assert "works there now; wait for its end, or choose another place" in line
    before = last(out).step
    wait_for_step(out, before + 10)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    shorter = [f"train.steps={last(out).step + 1}", "--resume", "--accept-changes"]
    assert worlds.train(out, *changes, *shorter) == 0  # death has released it
    assert not (out / ".lock").exists()


@pytest.mark.parametrize("command", LINES)
def test_no_command_writes_where_another_works(tmp_path, monkeypatch, capsys, command):
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    Path("photos/a.png").touch()
    named = FILES.get(command, "--root run" if command == "prepare" else "--out run")
    place = Path(named.split()[-1])
    with working_on(place, "work") if command in FILES else working_in(place, "work"):
        assert cli.run([command.split()[0], *LINES[command]]) == 2
        line = capsys.readouterr().err
        assert f"{named}: a work (process {os.getpid()} on " in line
        assert len(list(place.parent.rglob("*.lock"))) == 1
    assert {path.name for path in tmp_path.rglob("*")} == {"photos", "a.png"}


def test_every_command_that_writes_is_held():
    names = {each.name or each.callback.__name__ for each in cli.app.registered_commands}
    corrections = {"review", "import-masks"}  # hold the folder of corrections while they write
    # `memory` holds the folder of its parts (tests/tasks/banks)
    assert {command.split()[0] for command in LINES} == names - {"replay", "push"} - corrections - {
        "memory"
    }


def test_two_files_of_one_folder_may_be_written_at_once(tmp_path):
    with working_on(tmp_path / "a.csv", "tagging"), working_on(tmp_path / "b.csv", "tagging"):
        assert len(list(tmp_path.iterdir())) == 2
    assert list(tmp_path.iterdir()) == []
