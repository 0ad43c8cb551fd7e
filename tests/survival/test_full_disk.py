"""A full disk in any command: one line that says what to do, and exit code 1."""

import errno

import pytest
from tests.end_to_end import worlds

from weclip.cli import app as cli


@pytest.fixture
def full(monkeypatch):
    """From the n-th flush of a file on, the disk is full."""

    def inject(count):
        left = iter(range(count))

        def fsync(descriptor):
            if next(left, None) is None:
                raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr("weclip.system.files.os.fsync", fsync)

    return inject


def line_of(command, run_folder, voc_world, clip_file, out):
    """A command line that writes to `out`."""
    data = [f"data.root={voc_world}", "data.tags_file=tags.csv", "data.train_split=train"]
    images = str(voc_world / "JPEGImages")
    return {
        "predict": ["predict", "--model", str(run_folder), "--out", str(out), images],
        "evaluate": ["evaluate", "--model", str(run_folder), "--out", str(out)],
        "evaluate --masks": [
            *("evaluate", "--masks", str(voc_world / "SegmentationClass"), "--out", str(out)),
            *("--config", "voc", f"data.root={voc_world}"),
        ],
        "label": [
            "label",
            "--config",
            "voc",
            *data,
            f"clip.weights={clip_file}",
            "--out",
            str(out),
        ],
        "tag": [
            *("tag", "--config", "voc", *data, f"clip.weights={clip_file}"),
            *("--out", str(out / "tags.csv")),
        ],
        "convert": [
            *("convert", str(voc_world / "tags.csv"), str(out / "tags.jsonl")),
            *("--classes", "voc"),
        ],
        "check": ["check", "--config", "voc", *data, "--json", str(out / "check.json")],
    }[command]


@pytest.mark.parametrize("written", [0, 2])
@pytest.mark.parametrize(
    "command", ["predict", "evaluate", "evaluate --masks", "label", "tag", "check", "convert"]
)
def test_a_full_disk(tmp_path, full, capsys, run_folder, voc_world, clip_file, command, written):
    if written and command in ("tag", "check", "convert"):
        pytest.skip("writes fewer files")
    line = line_of(command, run_folder, voc_world, clip_file, tmp_path / "out")
    full(written)
    assert cli.run(line) == 1
    said = capsys.readouterr().err
    assert f"weclip: error: cannot write {tmp_path / 'out'}" in said
    assert said.endswith("(No space left on device); make room there\n")
    assert said.count("\n") == 1
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_training_says_what_is_kept(tmp_path, full, capsys, voc_world, clip_file):
    full(3)
    assert worlds.train(tmp_path / "run", *worlds.voc_changes(voc_world, clip_file)) == 1
    line = capsys.readouterr().err
    assert ".ckpt (No space left on device); make room there; no checkpoint was written yet" in line
