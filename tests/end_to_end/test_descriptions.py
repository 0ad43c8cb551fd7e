"""Descriptions of classes in a training: what depends on them, and what does not need them."""

import json

import pytest
from tests.end_to_end import worlds

from weclip.cli import app as cli


@pytest.fixture
def run(voc_world, clip_file, tmp_path):
    """A run with descriptions: its folder, their file, and the changes it was made with."""
    text = tmp_path / "birds.txt"
    text.write_text("bird: a thing with feathers\ndog: a thing that barks\n")
    given = [*worlds.voc_changes(voc_world, clip_file), f"clip.descriptions={text}"]
    assert worlds.train(tmp_path / "run", *given) == 0
    return tmp_path / "run", text, given


def test_a_model_needs_no_descriptions_to_predict(run, tmp_path, voc_world, capsys):
    folder, text, _ = run
    images = str(voc_world / "JPEGImages")
    line = ["predict", "--model", str(folder), images, "--out"]
    assert cli.run([*line, str(tmp_path / "with")]) == 0
    text.unlink()
    assert cli.run([*line, str(tmp_path / "without")]) == 0
    masks = [worlds.folder_content(tmp_path / name / "masks") for name in ("with", "without")]
    assert masks[0] == masks[1]
    scores = ["evaluate", "--model", str(folder), "--out", str(tmp_path / "scores"), "--labels"]
    assert cli.run(scores) == 2  # CAMs are made of them
    assert "file of descriptions (clip.descriptions) not found" in capsys.readouterr().err


def test_other_descriptions_are_another_run(run, capsys):
    folder, text, given = run
    text.write_text("bird: a thing with wings\n")
    assert worlds.train(folder, *given, "--resume") == 2
    assert "the descriptions are others" in capsys.readouterr().err


def test_descriptions_reach_the_training(run, voc_world, clip_file, tmp_path):
    folder, _, given = run
    assert worlds.train(tmp_path / "plain", *given[:-1]) == 0
    first = [
        json.loads((each / "log.jsonl").read_text().splitlines()[0])["segmentation"]
        for each in (folder, tmp_path / "plain")
    ]
    assert first[0] != first[1]
