"""Every command begins with what it takes the data to be; once, and before anything is done."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.end_to_end import worlds

from weclip.cli import app as cli


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with tags, classes, masks, and an image that nothing names; the current folder."""
    worlds.write_folder(tmp_path / "photos")
    (tmp_path / "photos" / "new.jpg").write_bytes((tmp_path / "photos/val/val_8.jpg").read_bytes())
    monkeypatch.chdir(tmp_path)
    return Path("photos")


CLASSES = "3 classes, from the class list photos/classes.yaml: bird, cat, dog"
LEFT_OUT = "left out: images that the tags file does not name: 1 (new.jpg)"
FILE = "photos/tags.jsonl (records, 'tags'; 14 labels)"
TAGS = f"tags from {FILE}; splits from the column split (train, val)"
TRAINED = f"photos: 8 images in train (1 without tags); {TAGS}; no masks are read"
BOTH = (
    "photos: 8 images in train (1 without tags), 3 images in val (all with masks); "
    f"{TAGS}; masks from photos/masks"
)
SCORED = f"photos: 3 images in val (all with masks); {TAGS}; masks from photos/masks"
BY_CLIP = TRAINED.replace(" (1 without tags)", "").replace(FILE, "CLIP (auto)")


def said(capsys, *arguments: object) -> list[str]:
    assert cli.run([str(each) for each in arguments]) in (0, 1), capsys.readouterr().err
    shown = capsys.readouterr().out.splitlines()
    assert shown.count(shown[0]) == 1
    return shown


def test_check(photos, capsys):
    assert said(capsys, "check", photos)[:3] == [TRAINED, CLASSES, LEFT_OUT]
    assert said(capsys, "check", photos, "data.eval_split=val")[:3] == [BOTH, CLASSES, LEFT_OUT]
    assert said(capsys, "check", photos, "data.tags_file=auto")[:3] == [BY_CLIP, CLASSES, LEFT_OUT]


def test_train_and_evaluate_and_predict(photos, clip_file, capsys):
    given = [f"clip.weights={clip_file}", *worlds.SMALL, "train.steps=2"]
    scored = ("data.eval_split=val", *given)
    assert said(capsys, "train", photos, "--out", "run", *scored)[:3] == [
        BOTH,
        CLASSES,
        LEFT_OUT,
    ]
    assert said(capsys, "evaluate", "--model", "run", "--out", "scores")[:3] == [
        SCORED,
        CLASSES,
        LEFT_OUT,
    ]
    (photos / "notes.txt").touch()
    (photos / "raw.nef").touch()
    assert said(capsys, "predict", "--model", "run", photos, "--out", "out")[:2] == [
        "15 images from photos",
        "left out: files that are no images: 3 (classes.yaml, notes.txt, tags.jsonl); pictures "
        "that are not read: a raw file of a camera; develop it, to JPEG or PNG: 1 (raw.nef)",
    ]


def test_label_and_tag(photos, clip_file, capsys):
    weights = f"clip.weights={clip_file}"
    assert said(capsys, "label", photos, weights, "--out", "out")[:3] == [
        TRAINED,
        CLASSES,
        LEFT_OUT,
    ]
    assert said(capsys, "tag", photos, weights, "--out", "t.csv")[:3] == [
        BY_CLIP,
        CLASSES,
        LEFT_OUT,
    ]


def test_evaluate_masks(photos, capsys):
    shutil.copytree(photos / "masks", "drawn")
    given = ("--config", "folder", f"data.root={photos}", "data.eval_split=val")
    shown = said(capsys, "evaluate", "--masks", "drawn", *given, "--out", "scores")
    assert shown[:3] == [SCORED, CLASSES, LEFT_OUT]


def test_a_table_of_foreign_tags_refuses_no_folder(photos, clip_file, capsys):
    """What CLIP is to tag need not fit a table that is there already."""
    rows = [json.loads(row) | {"tags": ["zebra"]} for row in (photos / "tags.jsonl").open()]
    (photos / "tags.jsonl").write_text("\n".join(map(json.dumps, rows)))
    weights = f"clip.weights={clip_file}"
    assert said(capsys, "tag", photos, weights, "--out", "t.csv")[0] == BY_CLIP
    auto = ("data.tags_file=auto", "--out", "out")
    assert said(capsys, "label", photos, weights, *auto)[0] == BY_CLIP
    assert cli.run(["label", str(photos), weights, "--out", "other"]) == 2
    assert "unknown class 'zebra'" in capsys.readouterr().err


def test_a_training_split_without_any_tag_is_refused(photos, clip_file, capsys):
    rows = [json.loads(row) | {"tags": []} for row in (photos / "tags.jsonl").open()]
    (photos / "tags.jsonl").write_text("\n".join(map(json.dumps, rows)))
    weights = f"clip.weights={clip_file}"
    for command in (["check"], ["train", "--out", "run", weights]):
        assert cli.run([*command, str(photos)]) == 2
        assert (
            "photos/tags.jsonl (records, 'tags'; 0 labels): no image of split 'train' has a tag, "
            "so there is nothing to learn from; tag some images, or let CLIP do it"
        ) in capsys.readouterr().err
    assert not Path("run").exists()


def spoil_masks(photos: Path) -> None:
    """Of three masks one is binary, one is void, and one lies beside under a wrong name."""
    first, second, third = sorted((photos / "masks" / "val").iterdir())
    for path, value in ((first, 0), (second, 255)):
        pixels = np.full((worlds.SIZE, worlds.SIZE), 255, np.uint8)
        pixels[:9] = value
        Image.fromarray(pixels).save(path)
    shutil.copy(third, third.with_name(f"{third.stem}_mask.png"))


def test_masks_that_cannot_be_right_are_said_before_scores(photos, clip_file, capsys):
    spoil_masks(photos)
    given = [f"clip.weights={clip_file}", *worlds.SMALL, "train.steps=2", "data.eval_split=val"]
    expected = [
        "warning: masks of 0 and 255 only, where",
        "warning: masks that are 255 all over",
        "warning: files in the mask folder that are the mask of no image",
    ]
    for command in (
        ["train", str(photos), "--out", "run", *given],
        ["evaluate", "--model", "run", "--out", "scores"],
    ):
        shown = said(capsys, *command)
        warnings = [line for line in shown if line.startswith(tuple(expected))]
        assert len(warnings) == 3
        assert shown.index(warnings[-1]) < 9
    assert cli.run(["check", str(photos), "data.eval_split=val"]) == 1
    shown = capsys.readouterr().out
    assert all(f"{line.replace('warning:', 'warning (1):')}" in shown for line in expected)


def test_a_truth_without_any_class_is_refused(photos, clip_file, capsys):
    given = [f"clip.weights={clip_file}", *worlds.SMALL, "train.steps=2", "data.eval_split=val"]
    said(capsys, "train", photos, "--out", "run", *given)
    for path in (photos / "masks" / "val").iterdir():
        Image.fromarray(np.zeros((worlds.SIZE, worlds.SIZE), np.uint8)).save(path)
    assert cli.run(["evaluate", "--model", "run", "--out", "scores"]) == 2
    assert "in which no class is drawn at all" in capsys.readouterr().err
    assert cli.run(["check", str(photos), "data.eval_split=val"]) == 2
    assert "error (1): masks of the evaluation split in which no class" in capsys.readouterr().out


WITHOUT = {
    "train": ["--config", "voc"],
    "train --seeds": ["--config", "voc", "--seeds", "0,1"],
    "label": ["--config", "voc"],
    "tag": ["--config", "voc"],
    "import": ["there.pth", "--config", "voc"],
}


@pytest.mark.parametrize("what", ["clip.weights", "clip.descriptions"])
@pytest.mark.parametrize("command", WITHOUT)
def test_a_path_that_is_not_there_is_said_before_data_are_read(
    tmp_path, clip_file, capsys, command, what
):
    given = {"data.root": "nor-this", "clip.weights": str(clip_file), what: "missing"}
    changes = [f"{key}={value}" for key, value in given.items()]
    out = tmp_path / ("o.csv" if command == "tag" else "o")
    line = [command.split()[0], *WITHOUT[command], *changes, "--out", str(out)]
    assert cli.run(line) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("weclip: error: missing: ")
    assert list(tmp_path.iterdir()) == []


def test_seeds_with_a_mistake_keep_the_earlier_run(tmp_path):
    out = tmp_path / "run"
    out.mkdir()
    (out / "run.json").write_text('{"kind": "training of several seeds"}')
    (out / "seeds.json").touch()
    changes = ["data.root=x", "clip.weights=missing", "--seeds", "0,1", "--overwrite"]
    assert cli.run(["train", "--config", "voc", "--out", str(out), *changes]) == 2
    assert (out / "seeds.json").exists()


def test_a_missing_model_of_label_is_said_first(tmp_path, clip_file, capsys):
    changes = ["data.root=x", f"clip.weights={clip_file}", "label.model=missing"]
    assert cli.run(["label", "--config", "voc", "--out", str(tmp_path / "o"), *changes]) == 2
    assert "error: missing: no such model file; give a run" in capsys.readouterr().err
