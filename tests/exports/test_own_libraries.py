"""Each export is opened by its own library; skipped where that is not installed."""

import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from tests.exports import decoders
from tests.exports.decoders import CLASSES, without_unsure

from weclip.exports.formats import EXPORTS


@pytest.fixture
def output(tmp_path):
    labelled, masks = decoders.write_output(tmp_path)

    def export(name):
        return EXPORTS[name](labelled), masks

    return export


def test_coco(output, capsys):
    coco = pytest.importorskip("pycocotools.coco", reason="needs pycocotools")
    path, masks = output("coco")
    loaded = coco.COCO(str(path))
    loaded.info()
    assert "description: Masks of weclip label, clip-es" in capsys.readouterr().out
    for (image_id, _), mask in zip(loaded.imgs.items(), masks.values(), strict=True):
        found = np.zeros(mask.shape, np.uint8)
        for each in loaded.imgToAnns[image_id]:
            found[loaded.annToMask(each) > 0] = each["category_id"]
        assert np.array_equal(found, without_unsure(mask))


def test_label_studio(output):
    brush = pytest.importorskip("label_studio_sdk.converter.brush", reason="needs label-studio-sdk")
    path, masks = output("label-studio")
    ids = {name: i for i, name in enumerate(CLASSES.names, 1)} | {"unsure": 255}
    tasks = json.loads((path / "tasks.json").read_text())
    for task, mask in zip(tasks, masks.values(), strict=True):
        found = np.zeros(mask.shape, np.uint8)
        for each in task["predictions"][0]["result"]:
            pixels = brush.decode_rle(each["value"]["rle"]).reshape(*mask.shape, 4)
            found[pixels[..., 3] > 0] = ids[each["value"]["brushlabels"][0]]
        assert np.array_equal(found, mask)


def test_cvat(output, tmp_path):
    datumaro = pytest.importorskip("datumaro.components.dataset", reason="needs datumaro")
    path, masks = output("cvat")
    zipfile.ZipFile(path).extractall(tmp_path / "zip")
    items = list(datumaro.Dataset.import_from(str(tmp_path / "zip"), "voc_segmentation"))
    assert {item.id for item in items} == masks.keys()
    for item in items:
        found = np.zeros(masks[item.id].shape, np.uint8)
        for each in item.annotations:
            unsure = each.label == len(CLASSES.names) + 1
            found[np.asarray(each.image) > 0] = 255 if unsure else each.label
        assert np.array_equal(found, masks[item.id])


def test_fiftyone(output):
    importers = pytest.importorskip("fiftyone.utils.data.importers", reason="needs fiftyone")
    path, masks = output("fiftyone")
    importer = importers.ImageSegmentationDirectoryImporter(str(path), load_masks=True)
    importer.setup()
    found = {image[len(str(path / "data")) + 1 : -4]: label.mask for image, _, label in importer}
    assert found.keys() == masks.keys()
    assert all(np.array_equal(found[name], mask) for name, mask in masks.items())


def test_hugging_face_reads_a_second_export_anew(tmp_path):
    """Into one cache, from two folders of the same name."""
    datasets = pytest.importorskip("datasets", reason="needs datasets")

    def loaded(folder):
        labelled, _ = decoders.write_output(tmp_path / folder)
        if folder == "b":
            images = [replace(image, confidence=1.0) for image in labelled.images]
            labelled = replace(labelled, images=images)
        path = EXPORTS["huggingface"](labelled)
        rows = datasets.load_dataset(str(path), cache_dir=str(tmp_path / "cache"))["train"]
        return [(row["confidence"], row["image"].size) for row in rows]

    first = loaded("a")
    second = loaded("b")
    assert [confidence for confidence, _ in first] == [0.5 + i / 16 for i in range(5)]
    assert [confidence for confidence, _ in second] == [1.0] * 5
    assert loaded("c") == first


def test_hugging_face(output, tmp_path):
    datasets = pytest.importorskip("datasets", reason="needs datasets")
    path, masks = output("huggingface")
    loaded = datasets.load_dataset(str(path), cache_dir=str(tmp_path / "cache"))
    assert list(loaded) == ["train"]
    for row, mask in zip(loaded["train"], masks.values(), strict=True):
        assert np.array_equal(np.array(row["label"]), mask)
        assert row["image"].size == mask.shape[::-1]
