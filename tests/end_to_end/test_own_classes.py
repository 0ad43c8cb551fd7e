"""A folder whose classes have several prompts and colours, and whose masks hold the colours."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.end_to_end import worlds

from weclip.cli import app as cli
from weclip.training.model_file import read_model_file

COLOURS = {"bird": (250, 120, 10), "cat": (0, 128, 0), "dog": (12, 34, 56)}
CLASSES = """
classes:
  - {name: bird, prompts: [bird, bird avian], colour: [250, 120, 10]}
  - cat
  - {name: dog, colour: '#0c2238'}
background_words: [grass, sky]
"""


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with masks of ids; do not change it."""
    root = worlds.write_folder(tmp_path_factory.mktemp("own") / "photos")
    (root / "classes.yaml").write_text(CLASSES)
    return root


FEW = ("train.image_every=2", "optim.warmup_steps=50")
"""Of four steps none is a large one, so that some classes are predicted."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, photos: Path, clip_file: Path) -> Path:
    """A finished run on it; do not change it."""
    out = tmp_path_factory.mktemp("runs") / "own"
    changes = [*data_of(photos), f"clip.weights={clip_file}", *worlds.SMALL, *FEW]
    assert worlds.train(out, *changes, config="folder") == 0
    return out


@pytest.fixture
def coloured(photos: Path, tmp_path: Path) -> Path:
    """The folder with masks of colours."""
    root = worlds.write_folder(tmp_path / "coloured")
    (root / "classes.yaml").write_text(CLASSES)
    table = np.array([(0, 0, 0), *COLOURS.values()], np.uint8)
    for path in (root / "masks").rglob("*.png"):
        Image.fromarray(table[np.array(Image.open(path))]).save(path)
    return root


def data_of(root: Path) -> list[str]:
    return [
        f"data.root={root}",
        f"data.tags_file={root}/tags.jsonl",
        f"data.classes={root}/classes.yaml",
        "data.eval_split=val",
    ]


def scores(run: Path, root: Path, out: Path) -> dict[str, object]:
    where = ["--model", str(run), "--out", str(out)]
    assert cli.run(["evaluate", *where, f"data.root={root}"]) == 0
    record = json.loads((out / "evaluation.json").read_text())["Segmentation"]
    return {key: record[key] for key in ("miou", "pixel_accuracy", "per_class_iou", "num_images")}


def test_the_model_keeps_prompts_and_colours(run: Path) -> None:
    classes = read_model_file(run / "model.safetensors").classes
    assert classes.prompts == (("bird", "bird avian"), ("cat",), ("dog",))
    assert classes.colours == tuple(COLOURS.values())


def test_masks_of_colours_score_as_masks_of_ids(run, photos, coloured, tmp_path) -> None:
    by_ids = scores(run, photos, tmp_path / "ids")
    assert by_ids["num_images"] == 3
    assert scores(run, coloured, tmp_path / "colours") == by_ids


def test_predictions_have_the_colours(run: Path, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    images = [str(photos / "val"), "--overlays"]
    assert cli.run(["predict", "--model", str(run), "--out", str(out), *images]) == 0
    seen: set[int] = set()
    for path in (out / "masks").rglob("*.png"):
        with Image.open(path) as mask:
            palette = mask.getpalette()
            ids = np.array(mask)
        seen.update(ids.flat)
        assert palette[:12] == [0, 0, 0, *(v for colour in COLOURS.values() for v in colour)]
        assert palette[-3:] == [224, 224, 192]
        photo = np.array(Image.open(next((photos / "val").glob(f"{path.stem}.*"))), np.float64)
        shown = np.array(Image.open(out / "overlays" / path.name))
        paint = np.array(palette).reshape(-1, 3)[ids]
        expected = np.where(ids[..., None] > 0, 0.4 * photo + 0.6 * paint, photo).round()
        assert np.abs(shown - expected).max() <= 1
    assert seen - {0}  # something was painted


def test_check_reads_masks_of_colours(coloured: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["check", "--config", "folder", *data_of(coloured)]
    assert cli.run(arguments) == 0
    path = coloured / "masks" / "val" / "val_8.png"
    Image.new("RGB", (worlds.SIZE, worlds.SIZE), (1, 2, 3)).save(path)
    capsys.readouterr()
    assert cli.run(arguments) == 2
    shown = capsys.readouterr().out
    assert "error (1): masks with ids or colours that the class list does not have" in shown
    assert "val_8.png: mask has the unknown colour #010203, [1, 2, 3], on 100 %" in shown
