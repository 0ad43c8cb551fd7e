"""Tags by CLIP from the command line: `weclip tag`, and `label` and `train` without any tags."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from tests.distributed import launch
from tests.end_to_end import worlds

from weclip.cli import app as cli
from weclip.data.classes import load_classes
from weclip.data.tags.tags_file import read_tags_file
from weclip.tasks.tag import auto_tags
from weclip.training.checkpoint import latest_checkpoint
from weclip.training.model_file import read_model_file

NAMES = [name for name, _ in worlds.scenes() if name.startswith("train")]
CLASSES = "classes: [bird, cat, dog]\nbackground_words: [grass, sky]\n"
AUTO = "data.tags_file=auto"


@pytest.fixture(scope="module")
def line(voc_world: Path, clip_file: Path) -> list[str]:
    """`weclip tag` on the VOC folder, without `--out`."""
    data = [f"data.root={voc_world}", "data.tags_file=tags.csv", "data.train_split=train"]
    return ["tag", "--config", "voc", *data, f"clip.weights={clip_file}"]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Images and class names, and not one tag."""
    root = tmp_path / "photos"
    (root / "beach").mkdir(parents=True)
    for index in range(6):
        name = f"{'beach/' if index % 2 else ''}{index}.png"
        Image.fromarray(worlds.draw(("bird", "dog")[: 1 + index % 2], index)[0]).save(root / name)
    (root / "classes.yaml").write_text(CLASSES)
    return root


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.open(encoding="utf-8")))


def same_weights(one: Path, other: Path) -> bool:
    """Whether two runs ended with the same decoder, bit for bit."""
    a, b = (read_model_file(run / "model.safetensors").trained for run in (one, other))
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_a_tags_file_that_every_command_reads(line, voc_world, clip_file, tmp_path, capsys):
    out = tmp_path / "new" / "tags.csv"
    assert cli.run([*line, "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "against the true tags of 8 images" in shown
    assert f"8 images in {out}" in shown
    found = rows(out)
    assert [row["image"] for row in found] == [f"{name}.png" for name in NAMES]
    tagged = read_tags_file(out, load_classes("voc")).rows
    assert any(row.tags for row in tagged)
    for row in found:
        scores = [float(score) for score in row["scores"].split(";") if score]
        assert len(scores) == len([tag for tag in row["tags"].split(";") if tag])
        assert all(0 < score <= 1 for score in scores)
    changes = worlds.voc_changes(voc_world, clip_file)
    run = tmp_path / "run"
    assert worlds.train(run, *changes, f"data.tags_file={out}", "train.steps=1") == 0


def test_the_record_says_how_and_how_right(line, clip_file, tmp_path):
    out = tmp_path / "tags.csv"
    assert cli.run([*line, "--out", str(out)]) == 0
    record = json.loads((tmp_path / "tags.csv.json").read_text())
    assert record["kind"] == "tags by CLIP"
    assert record["images"] == 8
    assert record["clip"]["name"] == clip_file.name
    assert len(record["clip"]["sha256"]) == 64
    assert record["config"]["tags.votes"] == 4
    given = [set(filter(None, row["tags"].split(";"))) for row in rows(out)]
    true = [set(tags) for name, tags in worlds.scenes() if name in NAMES]
    right = sum(len(one & other) for one, other in zip(given, true, strict=True))
    micro = record["scores"]["micro"]
    assert micro["recall"] == pytest.approx(right / sum(map(len, true)))
    assert micro["precision"] == pytest.approx(right / max(1, sum(map(len, given))))
    assert record["tags"] == sum(map(len, given))
    assert record["images_without_tags"] == sum(not tags for tags in given)
    for row in rows(out):
        for name, score in zip(row["tags"].split(";"), row["scores"].split(";"), strict=True):
            assert not name or float(score) >= record["thresholds"][name] - 1e-4


def test_the_released_form_tags_every_image(line, tmp_path):
    out = tmp_path / "tags.csv"
    assert cli.run([*line, "--out", str(out), "tags.released=true"]) == 0
    assert all(row["tags"] for row in rows(out))
    record = json.loads((tmp_path / "tags.csv.json").read_text())
    assert (record["threshold"], record["thresholds"]) == ("relative", None)


def test_only_an_earlier_output_is_replaced(line, tmp_path, capsys):
    out = tmp_path / "tags.csv"
    assert cli.run([*line, "--out", str(out)]) == 0
    before = out.read_bytes()
    assert cli.run([*line, "--out", str(out)]) == 2
    assert "exists; choose another name or add --overwrite" in capsys.readouterr().err
    assert cli.run([*line, "--out", str(out), "--overwrite", "tags.threshold=relative"]) == 0
    assert out.read_bytes() != before
    (tmp_path / "tags.csv.json").unlink()
    before = out.read_bytes()
    assert cli.run([*line, "--out", str(out), "--overwrite"]) == 2
    assert "was not made by weclip tag" in capsys.readouterr().err
    assert out.read_bytes() == before


def test_two_processes_make_what_one_makes(line, tmp_path):
    assert cli.run([*line, "--out", str(tmp_path / "one.csv")]) == 0
    told = launch.run(2, [*line, "--out", str(tmp_path / "two.csv")])
    assert told.count(f"8 images in {tmp_path / 'two.csv'}") == 1
    assert told.count("8 images in train") == 1
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()


def test_own_images_are_tagged_where_they_are(photos, clip_file, tmp_path, capsys):
    weights = f"clip.weights={clip_file}"
    out = photos / "tags.csv"
    assert cli.run(["tag", str(photos), weights, "--out", str(out)]) == 0
    assert "true tags" not in capsys.readouterr().out
    files = [row["image"] for row in rows(out)]
    assert files == ["0.png", "2.png", "4.png", "beach/1.png", "beach/3.png", "beach/5.png"]
    assert cli.run(["tag", str(photos), weights, "--out", str(out), "--overwrite"]) == 0
    assert "true tags" not in capsys.readouterr().out  # tags by CLIP are no truth
    assert cli.run(["check", str(photos)]) in (0, 1)


def test_the_class_list_may_be_given(photos, clip_file, tmp_path):
    (photos / "classes.yaml").rename(tmp_path / "names.yaml")
    line = ["tag", str(photos), f"clip.weights={clip_file}", "--out", str(tmp_path / "tags.csv")]
    assert cli.run([*line, f"data.classes={tmp_path / 'names.yaml'}"]) == 0
    assert cli.run([*line, "--overwrite", "data.classes=voc"]) == 0
    record = json.loads((tmp_path / "tags.csv.json").read_text())
    assert record["config"]["data.classes"] == "voc"


def test_splits_of_a_folder_are_kept(clip_file, tmp_path):
    root = worlds.write_folder(tmp_path / "photos")
    weights, out = f"clip.weights={clip_file}", tmp_path / "tags.csv"
    assert cli.run(["tag", str(root), weights, "data.eval_split=val", "--out", str(out)]) == 0
    assert {row["split"] for row in rows(out)} == {"train", "val"}
    assert len(rows(out)) == len(worlds.scenes())
    true = {row["image"]: row["tags"] for row in rows(out)}
    (root / "tags.jsonl").unlink()  # folders train/ and val/ are left
    again = tmp_path / "again.csv"
    assert cli.run(["tag", str(root), weights, "data.eval_split=val", "--out", str(again)]) == 0
    assert {row["image"]: row["tags"] for row in rows(again)} == true
    small = [*worlds.SMALL, weights, f"data.tags_file={again}", "data.eval_split=val"]
    given = ["train", str(root), "--out", str(tmp_path / "run"), *small]
    assert cli.run([*given, "train.steps=1"]) == 0


def test_labels_of_images_without_tags_are_resumed(photos, clip_file, tmp_path, monkeypatch):
    out = tmp_path / "out"
    line = ["label", str(photos), AUTO, f"clip.weights={clip_file}", "--out", str(out)]
    assert cli.run(line) == 0
    tags = {row["image"]: row["tags"] for row in rows(out / "auto_tags.csv")}
    assert any(tags.values())
    records = [json.loads(row) for row in (out / "manifest.jsonl").read_text().splitlines()]
    assert {record["file"]: ";".join(record["tags"]) for record in records} == tags
    monkeypatch.setattr(auto_tags, "make_tags", None)  # they are made once
    before = worlds.folder_content(out)
    (out / "masks" / "0.png").unlink()
    assert cli.run([*line, "--resume"]) == 0
    assert worlds.folder_content(out) == before


def test_another_way_to_tag_does_not_go_on_with_the_masks(photos, clip_file, tmp_path, capsys):
    line = ["label", str(photos), AUTO, f"clip.weights={clip_file}", "--out", str(tmp_path / "out")]
    assert cli.run(line) == 0
    assert cli.run([*line, "--resume", "tags.threshold=relative"]) == 2
    assert "tags.threshold was None, now relative" in capsys.readouterr().err


def test_training_without_tags_goes_on_with_the_same(photos, clip_file, tmp_path, monkeypatch):
    small = [*worlds.SMALL, AUTO, f"clip.weights={clip_file}"]
    whole, out = tmp_path / "whole", tmp_path / "out"
    assert cli.run(["train", str(photos), "--out", str(whole), *small]) == 0
    shutil.copytree(whole, out)
    checkpoints = sorted((out / "checkpoints").glob("*.ckpt"))
    for path in checkpoints[1:]:
        path.unlink()
    made = []
    monkeypatch.setattr(auto_tags, "make_tags", lambda *a, **k: made.append(a))
    again = ["train", str(photos), "--out", str(out), *small, "--resume"]
    assert cli.run(again) == 0
    assert not made
    one, other = (latest_checkpoint(each / "checkpoints")[0] for each in (whole, out))
    assert one.step == other.step == 4
    assert one.inputs == other.inputs
    assert (whole / "auto_tags.csv").read_bytes() == (out / "auto_tags.csv").read_bytes()
    assert same_weights(whole, out)


def test_true_tags_do_not_reach_training(voc_world, clip_file, tmp_path):
    """The same weights, whatever the data set's own tags say, and though they are gone."""
    root = shutil.copytree(voc_world, tmp_path / "voc")
    runs = []
    for index, content in enumerate(["image,tags\n", None]):
        if content is None:
            (root / "tags.csv").unlink()
        else:
            names = (f"{name}.png,bird\n" for name, _ in worlds.scenes())
            (root / "tags.csv").write_text(content + "".join(names))
        run = tmp_path / f"run{index}"
        assert worlds.train(run, *worlds.voc_changes(root, clip_file), AUTO) == 0
        runs.append(run)
    assert same_weights(*runs)


def test_a_model_of_auto_tags_is_scored(voc_world, clip_file, tmp_path, capsys):
    run = tmp_path / "run"
    changes = worlds.voc_changes(voc_world, clip_file)
    assert worlds.train(run, *changes, AUTO) == 0
    assert cli.run(["evaluate", "--model", str(run), "--out", str(tmp_path / "scores")]) == 0
    capsys.readouterr()
    line = ["evaluate", "--model", str(run), "--labels", "--out", str(tmp_path / "labels")]
    assert cli.run(line) == 2
    assert "tags" in capsys.readouterr().err


@pytest.mark.long
def test_training_in_two_processes_has_the_same_tags(photos, clip_file, tmp_path):
    small = [*worlds.SMALL, AUTO, f"clip.weights={clip_file}", "train.steps=2"]
    for count, name in ((1, "one"), (2, "two")):
        line = ["train", str(photos), "--out", str(tmp_path / name), *small]
        launch.run(count, line)
    one, two = ((tmp_path / name / "auto_tags.csv").read_bytes() for name in ("one", "two"))
    assert one == two


def test_an_image_that_cannot_be_read_is_left_to_training(photos, clip_file, tmp_path, capsys):
    (photos / "9.png").write_text("no image")
    small = [*worlds.SMALL, AUTO, f"clip.weights={clip_file}", "data.max_unreadable=0.5"]
    out = tmp_path / "run"
    assert cli.run(["train", str(photos), "--out", str(out), *small]) == 0
    assert {row["image"]: row["tags"] for row in rows(out / "auto_tags.csv")}["9.png"] == ""
    assert "9.png" in capsys.readouterr().out
    assert cli.run(["label", str(photos), *small[-3:-1], "--out", str(tmp_path / "labels")]) == 2
    assert "9.png: image cannot be read" in capsys.readouterr().err


def test_help_of_tag_does_not_wait_for_pytorch() -> None:
    code = "import weclip.cli.tag, sys; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
