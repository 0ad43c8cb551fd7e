"""`weclip import-masks` from the command line: from a tool's export to corrections that train."""

import json

import numpy as np
import pytest
from tests.end_to_end.worlds import draw, scenes, train, voc_changes, write_folder

from weclip.cli import app as cli
from weclip.data.classes import load_classes
from weclip.data.corrections.folder import read_corrections
from weclip.data.masks.mask_files import read_mask, save_mask

SCENES = dict(scenes())


@pytest.fixture(scope="module")
def data(voc_world):
    places = [f"data.root={voc_world}", "data.tags_file=tags.csv", "data.train_split=train"]
    return ["--config", "voc", *places]


@pytest.fixture(scope="module")
def exported(tmp_path_factory, data, clip_file):
    """The output of `weclip label` with CVAT's zip; do not change it."""
    out = tmp_path_factory.mktemp("labels") / "out"
    line = ["label", *data, f"clip.weights={clip_file}", "--export", "cvat"]
    assert cli.run([*line, "--out", str(out), "label.confidence=0.6"]) == 0
    return out


def test_a_round_trip_through_cvat(exported, data, tmp_path, capsys, voc_world, clip_file):
    out = tmp_path / "corrected"
    line = ["import-masks", str(exported / "cvat.zip"), *data, "--out", str(out)]
    assert cli.run(line) == 0
    assert "8 masks (CVAT, masks) in" in capsys.readouterr().out
    classes = load_classes("voc")
    found = read_corrections(out, classes)
    for name in (name for name in SCENES if name.startswith("train")):
        mask = read_mask(exported / "masks" / f"{name}.png")
        np.testing.assert_array_equal(read_mask(found.of(name).mask), mask)
        shown = {classes.names[i - 1] for i in np.unique(mask) if i not in (0, 255)}
        own = {*SCENES[name]} if (mask == 255).any() else set()
        assert {classes.names[i] for i in found.of(name).tags} == shown | own
    assert cli.run(line) == 2
    assert "8 of these images are corrected already" in capsys.readouterr().err
    assert cli.run([*line, "--overwrite"]) == 0
    run = tmp_path / "run"
    changes = [*voc_changes(voc_world, clip_file), f"data.corrected={out}", "train.steps=1"]
    assert train(run, *changes) == 0
    assert json.loads((run / "run.json").read_text())["corrected"]["masks"] == 8


def test_a_plain_folder_with_its_own_classes(tmp_path, capsys):
    root, source, out = write_folder(tmp_path / "photos"), tmp_path / "masks", tmp_path / "out"
    for index, name in enumerate(["train/train_0", "train/train_3", "elsewhere"]):
        mask = draw(SCENES["train_0"], index)[1]
        save_mask((mask > 0).astype(np.uint8), source / f"{name}.png", palette=None)
    line = ["import-masks", str(source), "--data", str(root), "data.tags_file=tags.jsonl"]
    assert cli.run([*line, "--out", str(out)]) == 0
    told = capsys.readouterr()
    assert "2 masks (PNGs) in" in told.out
    assert "1 masks are of no image, and left out" in told.out + told.err
    assert (out / "tags.csv").read_text() == (
        "image,tags\ntrain/train_0.jpg,bird\ntrain/train_3.jpg,bird\n"
    )


def test_nothing_is_written_where_something_is_not_understood(tmp_path, data, capsys):
    source, out = tmp_path / "masks", tmp_path / "out"
    line = ["import-masks", str(source), *data, "--out", str(out)]
    save_mask(np.zeros((48, 48), np.uint8), source / "train_0.png")
    for name, mask, message in (
        ("train_1", np.full((48, 48), 99, np.uint8), "mask has class ids [99]"),
        ("train_1", np.zeros((4, 4), np.uint8), "drawn on an image of 4 x 4 pixels"),
        ("a/train_0", np.zeros((48, 48), np.uint8), "a second mask of the image 'train_0'"),
    ):
        save_mask(mask, source / f"{name}.png")
        assert cli.run(line) == 2
        assert message in capsys.readouterr().err
        assert not out.exists()
        (source / f"{name}.png").unlink()
    (source / "train_0.png").rename(source / "other.png")
    assert cli.run(line) == 2
    assert "no mask of an image of split 'train'" in capsys.readouterr().err
