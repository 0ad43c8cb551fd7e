"""Own data through the command line: class folders and nothing else, or one `dataset.yaml`."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.end_to_end import worlds

import weclip
from weclip.cli import app as cli
from weclip.training.model_file import read_model_file
from weclip.training.runlog import read_log

NAMES = ("bird", "cat", "dog")
DESCRIPTION = """
images: pictures
tags: lists/tags.csv
masks: drawn
mask_labels: {77: dog, '#FF00FF': ignore}
classes: [bird, cat, {name: dog, prompts: [dog, hound]}]
split: {val: 0.3, seed: 1}
"""


@pytest.fixture
def sorted_images(tmp_path: Path) -> Path:
    """Four images in each of two class folders, and nothing else."""
    root = tmp_path / "my photos, sorted"
    for index in range(8):
        name = ("cat", "dog")[index % 2]
        (root / name).mkdir(parents=True, exist_ok=True)
        image, _ = worlds.draw((name,), index)
        Image.fromarray(image).save(root / name / f"{index}.jpg")
    return root


def write_described(root: Path) -> Path:
    """Ten images with their masks (dog is 77 there), a table and a description."""
    for folder in ("pictures", "drawn", "lists"):
        (root / folder).mkdir(parents=True)
    rows = ["image,tags"]
    for index in range(10):
        tags = (NAMES[index % 3],)
        image, mask = worlds.draw(tags, index)
        Image.fromarray(image).save(root / "pictures" / f"{index}.png")
        ids = np.where(mask > 0, (1, 2, 77)[index % 3], 0).astype(np.uint8)
        Image.fromarray(ids).save(root / "drawn" / f"{index}.png")
        rows.append(f"{index}.png,{tags[0]}")
    (root / "lists" / "tags.csv").write_text("\n".join(rows))
    (root / "dataset.yaml").write_text(DESCRIPTION)
    return root


@pytest.fixture
def described(tmp_path: Path) -> Path:
    return write_described(tmp_path / "described")


def train(data: Path, out: Path, clip: Path, *changes: str) -> int:
    where = [str(data), "--out", str(out), f"clip.weights={clip}"]
    return cli.run(["train", *where, *worlds.SMALL, *changes])


def evaluate(run: Path, out: Path, *changes: str) -> int:
    return cli.run(["evaluate", "--model", str(run), "--out", str(out), *changes])


def test_class_folders_and_nothing_else(sorted_images, tmp_path, clip_file, capsys):
    before = worlds.folder_content(sorted_images)
    note = f"2 classes, from the folders in {sorted_images}: cat, dog\n"
    assert cli.run(["check", str(sorted_images)]) == 0
    assert note in capsys.readouterr().out
    assert train(sorted_images, tmp_path / "run", clip_file) == 0
    shown = capsys.readouterr().out
    assert shown.count(note) == 1
    warnings = [line for line in shown.splitlines() if "warning" in line]
    assert all("nothing tells its activation" in line for line in warnings)  # of the random CLIP
    assert weclip.load(tmp_path / "run").class_names == ("background", "cat", "dog")
    assert worlds.folder_content(sorted_images) == before

    mask = Image.new("L", (worlds.SIZE, worlds.SIZE), 2)
    (sorted_images / "masks" / "dog").mkdir(parents=True)
    mask.save(sorted_images / "masks" / "dog" / "1.png")
    assert evaluate(tmp_path / "run", tmp_path / "scores", "data.eval_split=train") == 0
    assert note in capsys.readouterr().out


def test_short_forms_are_the_long_one(sorted_images, tmp_path, clip_file):
    assert train(sorted_images, tmp_path / "short", clip_file) == 0
    long = [f'data.root="{sorted_images}"', f"clip.weights={clip_file}", *worlds.SMALL]
    assert worlds.train(tmp_path / "long", *long, config="folder") == 0
    short, long = (tmp_path / name / "config.yaml" for name in ("short", "long"))
    assert short.read_text() == long.read_text()
    assert train(sorted_images, tmp_path / "short", clip_file, "--resume", "train.steps=4") == 0


@pytest.mark.parametrize("file", ["", "dataset.yaml"])
def test_a_description_trains_checks_and_evaluates(described, tmp_path, clip_file, capsys, file):
    scored = "data.eval_split=val"
    assert cli.run(["check", str(described / file), scored, "--json", str(tmp_path / "c")]) in (
        0,
        1,
    )
    record = json.loads((tmp_path / "c").read_text())
    assert (record["train"]["images"], record["eval"]["images"]) == (7, 3)
    assert not [each for each in record["findings"] if each["severity"] == "error"]
    assert train(described / file, tmp_path / "run", clip_file, scored) == 0
    assert "warning: no scores" not in capsys.readouterr().out
    assert "eval_miou" in read_log(tmp_path / "run" / "log.jsonl")[-1]
    classes = read_model_file(tmp_path / "run" / "model.safetensors").classes
    assert classes.names == NAMES
    assert classes.prompts[2] == ("dog", "hound")
    assert evaluate(tmp_path / "run", tmp_path / "scores") == 0
    scores = json.loads((tmp_path / "scores" / "evaluation.json").read_text())
    assert scores["Segmentation"]["num_images"] == 3


def test_scores_and_training_agree_on_the_split(described, tmp_path, clip_file):
    assert train(described, tmp_path / "run", clip_file, "data.eval_split=val") == 0
    for split, expected in (("train", 7), ("val", 3)):
        out = tmp_path / f"scores-{split}"
        assert evaluate(tmp_path / "run", out, f"data.eval_split={split}") == 0
        scores = json.loads((out / "evaluation.json").read_text())
        assert scores["Segmentation"]["num_images"] == expected


def test_masks_are_not_needed_to_train(described, tmp_path, clip_file, monkeypatch):
    assert train(described, tmp_path / "with", clip_file) == 0
    for path in (described / "drawn").iterdir():
        path.unlink()
    (described / "drawn").rmdir()
    assert train(described, tmp_path / "without", clip_file) == 0
    runs = [read_model_file(tmp_path / n / "model.safetensors") for n in ("with", "without")]
    assert all((runs[0].trained[key] == runs[1].trained[key]).all() for key in runs[0].trained)


@pytest.fixture
def run(described, tmp_path, clip_file) -> Path:
    assert train(described, tmp_path / "run", clip_file, "data.eval_split=val") == 0
    return tmp_path / "run"


@pytest.mark.parametrize("classes", ["[bird, cat]", "[cat, bird, dog]", "[bird, cat, cow]"])
def test_other_classes_are_refused_for_scores(run, described, tmp_path, capsys, classes):
    """The ids of such masks would mean something else to the model."""
    text = DESCRIPTION.replace("[bird, cat, {name: dog, prompts: [dog, hound]}]", classes)
    (described / "dataset.yaml").write_text(text)
    assert evaluate(run, tmp_path / "scores") == 2
    message = capsys.readouterr().err
    assert f"its classes ({classes[1:-1]}) are not those of the model (bird, cat, dog)" in message
    assert "data.classes=FILE" in message
    assert not (tmp_path / "scores").exists()


def test_the_models_list_may_be_given_for_scores(run, described, tmp_path, capsys):
    (described / "dataset.yaml").write_text(DESCRIPTION.replace("[bird, cat,", "[cow, cat,"))
    (tmp_path / "mine.yaml").write_text("classes: [bird, cat, dog]")
    given = f"data.classes={tmp_path / 'mine.yaml'}"
    assert evaluate(run, tmp_path / "scores", given) == 0
    assert evaluate(run, tmp_path / "other", "data.classes=voc") == 2
    assert "voc: its classes (aeroplane, " in capsys.readouterr().err


def test_a_list_given_for_training_holds_for_scores(described, tmp_path, clip_file):
    """The description says otherwise, but the command line won then and wins now."""
    (tmp_path / "mine.yaml").write_text("classes: [dog, cat, bird]")
    given = f"data.classes={tmp_path / 'mine.yaml'}"
    assert train(described, tmp_path / "run", clip_file, given, "data.eval_split=val") == 0
    (tmp_path / "mine.yaml").unlink()
    assert evaluate(tmp_path / "run", tmp_path / "scores") == 0
    other = write_described(tmp_path / "other")
    root = f"data.root={other}"
    assert evaluate(tmp_path / "run", tmp_path / "refused", root) == 2
    text = (other / "dataset.yaml").read_text()
    listed = next(line for line in text.splitlines() if line.startswith("classes:"))
    (other / "dataset.yaml").write_text(text.replace(listed, ""))
    assert evaluate(tmp_path / "run", tmp_path / "guessed", root) == 0


@pytest.mark.parametrize(
    "name", ["a, b", "it's \U0001f600", 'say "x"', "[1]", "null", "a: b", "# c"]
)
def test_any_folder_name(sorted_images, tmp_path, monkeypatch, capsys, name):
    sorted_images.rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert cli.run(["check", name]) == 0
    assert f"from the folders in {name}: cat, dog" in capsys.readouterr().out


REFUSED = {
    "two data sets": (["a", "b"], "'b': one data set at a time"),
    "no data": ([], "no data: give a folder of images or a dataset.yaml"),
    "no folder": (["nowhere"], "nowhere: data root not found"),
    "unknown key": (["photos", "data.rot=x"], "did you mean 'root'"),
}


@pytest.mark.parametrize(("arguments", "message"), REFUSED.values(), ids=list(REFUSED))
def test_bad_arguments_of_check(arguments, message, capsys):
    assert cli.run(["check", *arguments]) == 2
    assert message in capsys.readouterr().err
