"""Each export decodes to the masks that it was made from."""

import json

import numpy as np
import pytest
from PIL import Image
from tests.exports import decoders
from tests.exports.decoders import NAMES, without_unsure

from weclip.data.masks.outlines import outlines
from weclip.exports.formats import EXPORTS
from weclip.exports.label_studio import brush_code


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    """Everything is exported twice: the second replaces the first."""
    labelled, masks = decoders.write_output(tmp_path_factory.mktemp("exports"))
    for export in (*EXPORTS.values(), *EXPORTS.values()):
        assert export(labelled).parent == labelled.out
    assert not list(labelled.out.rglob("*.tmp"))
    return labelled.out, masks


def test_coco(output):
    out, masks = output
    document = json.loads((out / "coco.json").read_text())
    assert document["info"] == {"description": "Masks of weclip label, clip-es", "version": "1"}
    assert document["licenses"] == []
    found = decoders.coco(out / "coco.json")
    assert found.keys() == {f"{name}.png" for name in NAMES}
    for name, mask in masks.items():
        assert np.array_equal(found[f"{name}.png"], without_unsure(mask))


@pytest.mark.parametrize("name", NAMES)
def test_yolo(output, name):
    out, masks = output
    found = decoders.yolo(out / "yolo", name, masks[name].shape)
    assert np.array_equal(found, without_unsure(masks[name]))


@pytest.mark.parametrize("name", NAMES)
def test_cvat(output, name):
    out, masks = output
    assert np.array_equal(decoders.cvat(out / "cvat.zip", name), masks[name])


def test_label_studio(output):
    out, masks = output
    tasks = json.loads((out / "label-studio" / "tasks.json").read_text())
    assert [task["predictions"][0]["score"] for task in tasks] == [0.5 + i / 16 for i in range(5)]
    assert tasks[1]["data"]["image"] == "/data/local-files/?d=train/dog%20b.png"
    for task, mask in zip(tasks, masks.values(), strict=True):
        assert np.array_equal(decoders.label_studio(task, mask.shape), mask)


def test_long_runs_of_label_studio():
    region = np.zeros((200, 200), bool)
    region[3:150] = True
    task = {"predictions": [{"result": [{"value": {"brushlabels": ["dog"]}}]}]}
    task["predictions"][0]["result"][0]["value"]["rle"] = brush_code(region)
    assert np.array_equal(decoders.label_studio(task, region.shape), region)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("tool", "images"), [("fiftyone", "data"), ("huggingface", "images")])
def test_folders(output, name, tool, images):
    out, masks = output
    with Image.open(out / tool / "labels" / f"{name}.png") as label:
        assert label.mode == "L"
        assert np.array_equal(np.asarray(label), masks[name])
    assert (out / tool / images / f"{name}.png").samefile(out.parent / "photos" / f"{name}.png")


def test_outlines_of_any_region_give_it_again():
    rng = np.random.default_rng(0)
    for _ in range(60):
        region = rng.random(rng.integers(1, 12, 2)) < rng.choice([0.3, 0.6, 0.9])
        parts = [decoders.fill(corners, region.shape) for corners in outlines(region)]
        assert np.array_equal(np.sum([np.zeros(region.shape, int), *parts], axis=0), region)
