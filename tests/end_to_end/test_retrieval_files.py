"""Retrieval on regions that were made beforehand (`regions.files`), through the command line."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.end_to_end.test_retrieval import changes, ids_of, label, run, said, train

import weclip
from weclip.cli import app as cli
from weclip.tasks.load.model import load_model

__all__ = ["changes", "run"]
OWN = "regions.files=null regions.source=superpixels".split()
NOT_NAMED = "the model was trained with regions in files, which are of its own images; add"


@pytest.fixture(scope="module")
def files(voc_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Id maps of all scenes: left and right of the middle, apart by what is there."""
    folder = tmp_path_factory.mktemp("id_maps")
    for mask in (voc_world / "SegmentationClass").glob("*.png"):
        ids = np.where(ids_of(mask) == 255, 0, ids_of(mask)) * 2 + 1
        ids[:, ids.shape[1] // 2 :] += 1
        Image.fromarray(ids.astype(np.uint8)).save(folder / mask.name)
    return folder


@pytest.fixture(scope="module")
def filled(
    changes: list[str], voc_world: Path, files: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A bank of the true masks, filled with regions in files; do not change it."""
    out = tmp_path_factory.mktemp("filled") / "run"
    masks = f"method.retrieval.masks={voc_world / 'SegmentationClass'}"
    assert train(out, *changes, masks, f"regions.files={files}") == 0
    return out


def predict(run: Path, images: Path, out: Path, *more: str) -> int:
    return cli.run(["predict", str(images), "--model", str(run), "--out", str(out), *more])


def test_regions_of_files_and_of_the_source_predict_alike(changes, run, voc_world, tmp_path):
    given = [each for each in changes if each.startswith(("data.", "regions."))]
    cut = ["regions", "--config", "voc", *given, "data.train_split=val"]
    assert cli.run([*cut, "--out", str(tmp_path / "cut")]) == 0
    images = voc_world / "JPEGImages" / "val_*.png"
    ways = {"made": "regions.source=superpixels", "read": f"regions.files={tmp_path / 'cut'}"}
    for out, how in ways.items():
        assert predict(run, images, tmp_path / out, how, "--confidence") == 0
    for one in sorted((tmp_path / "made").glob("*/*.png")):
        other = tmp_path / "read" / one.relative_to(tmp_path / "made")
        assert np.array_equal(ids_of(one), ids_of(other)), one
    made, read = (json.loads((tmp_path / n / "run.json").read_text()) for n in ("made", "read"))
    assert made["regions"]["source"] == read["regions"]["source"] == "superpixels"
    assert len(read["regions"]["files"]) == 64


@pytest.mark.parametrize("more", [[], ["eval.flip=true", "eval.scales=[1.0,1.5]"]])
def test_a_bank_of_files_predicts_by_files(filled, files, voc_world, tmp_path, more):
    images = voc_world / "JPEGImages" / "val_*.png"
    assert predict(filled, images, tmp_path / "masks", f"regions.files={files}", *more) == 0
    masks = sorted((tmp_path / "masks" / "masks").glob("*.png"))
    assert len(masks) > 2
    found = [(ids_of(each), ids_of(files / each.name)) for each in masks]
    if not more:
        for mask, regions in found:
            for region in np.unique(regions):
                assert len(np.unique(mask[regions == region])) == 1
    assert sum(len(np.unique(mask)) > 1 for mask, _ in found) > 1


def test_a_bank_of_files_asks_for_those_of_other_images(filled, voc_world, files, tmp_path, capsys):
    image = voc_world / "JPEGImages" / "val_8.png"
    assert predict(filled, image, tmp_path / "a") == 2
    assert f"{NOT_NAMED} regions.files=FOLDER of these images' (weclip regions" in said(capsys)
    assert predict(filled, image, tmp_path / "a", f"regions.files={tmp_path}") == 2
    assert "no regions of image 'val_8', neither val_8.png (an id map) nor" in said(capsys)
    assert not (tmp_path / "a" / "masks").exists()
    assert predict(filled, image, tmp_path / "b", *OWN) == 0
    line = " ".join(capsys.readouterr().out.split())
    assert "regions: by superpixels here, while the training read files" in line
    assert predict(filled, image, tmp_path / "b", f"regions.files={files}", "--resume") == 2
    assert "made with another regions" in said(capsys)


def test_images_without_names(filled, files, voc_world):
    with pytest.raises(weclip.InputError, match="the model was trained with regions in files"):
        weclip.load(filled)
    with pytest.raises(weclip.InputError, match=r"names of images, which are not known here; take"):
        weclip.load(filled, regions={"files": str(files)})
    model = weclip.load(filled, regions={"files": None, "source": "superpixels"}, device="cpu")
    model.predict(voc_world / "JPEGImages" / "val_8.png")
    method = load_model(filled).method
    with pytest.raises(weclip.InputError, match="regions in files go by the names of images"):
        method(torch.zeros(1, 3, 32, 32))


def evaluate(run: Path, out: Path, *more: str) -> int:
    return cli.run(["evaluate", "--model", str(run), "--out", str(out), *more])


@pytest.mark.parametrize("labels", [[], ["--labels"]])
def test_scores_name_the_regions(filled, files, tmp_path, capsys, labels):
    out = tmp_path / "scores"
    assert evaluate(filled, out, *labels) == 2
    assert NOT_NAMED in said(capsys)
    assert evaluate(filled, out, f"regions.files={files}", *labels) == 0
    records = json.loads((out / "evaluation.json").read_text())
    for record in records.values():
        assert record["protocol"]["regions"] == "files"
        assert record["protocol"]["saw_human_masks"] == "unknown: made elsewhere"
        assert record["miou"] > 0.3
    assert json.loads((filled / "run.json").read_text())["regions"]["source"] == "files"
    assert "regions.files=FOLDER" in (filled / "report.html").read_text()


def test_masks_are_cleaned_by_regions_in_files(changes, filled, files, tmp_path, capsys):
    model, out = f"label.model={filled}", tmp_path / "clean"
    assert label(tmp_path / "none", changes, model) == 2
    assert f"{model}: {NOT_NAMED}" in said(capsys)
    assert label(out, changes, model, f"regions.files={files}") == 0
    assert json.loads((out / "label.json").read_text())["regions"]["source"] == "files"
    for mask in (out / "masks").glob("*.png"):
        regions = ids_of(files / mask.name)
        for region in np.unique(regions):
            assert len(np.unique(ids_of(mask)[regions == region])) == 1


def test_every_image_needs_regions_before_the_work(changes, voc_world, files, tmp_path, capsys):
    few = tmp_path / "few"
    few.mkdir()
    for file in sorted(files.glob("train_*.png")):
        (few / file.name).write_bytes(file.read_bytes())
    masks = f"method.retrieval.masks={voc_world / 'SegmentationClass'}"
    assert train(tmp_path / "run", *changes, masks, f"regions.files={few}") == 2
    assert "no regions of image 'val_" in said(capsys)
    assert not (tmp_path / "run").exists()


@pytest.mark.long
def test_a_bundle_asks_for_files_too(filled, files, voc_world, tmp_path, capsys):
    bundle = tmp_path / "bundle"
    assert cli.run(["bundle", str(filled), "--out", str(bundle), "--precision", "float32"]) == 0
    assert str(files).encode() not in (bundle / "model.safetensors").read_bytes()
    card = (bundle / "README.md").read_text()
    assert "regions of files (whether" in card
    assert "Also give `regions.files=FOLDER`" in card
    image = voc_world / "JPEGImages" / "val_8.png"
    assert predict(bundle, image, tmp_path / "a") == 2
    assert NOT_NAMED in said(capsys)
    masks = []
    for number, model in enumerate((bundle, filled)):
        out = tmp_path / str(number)
        assert predict(model, image, out, f"regions.files={files}") == 0
        masks.append(ids_of(out / "masks" / "val_8.png"))
    assert np.array_equal(*masks)
