"""Overlapping masks as run lengths, as SAM's tools write them."""

import json

import numpy as np
import pytest

from weclip.data.masks.run_lengths import compressed, decompressed, drawn, runs_of
from weclip.data.regions import mask_lists
from weclip.data.regions.mask_lists import read_mask_list, write_mask_list
from weclip.system.errors import InputError

SIZE = (2, 3)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.json"


def entry(counts=(1, 2, 3), **more):
    return {"segmentation": {"size": list(SIZE), "counts": list(counts)}, **more}


@pytest.mark.parametrize("seed", range(10))
def test_run_lengths_are_those_of_pycocotools(seed):
    coco = pytest.importorskip("pycocotools.mask", reason="needs the extra 'prepare'")
    rng = np.random.default_rng(seed)
    mask = rng.random((rng.integers(1, 60), rng.integers(1, 60))) < rng.random()
    runs = runs_of(mask)
    theirs = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert runs == {"size": theirs["size"], "counts": theirs["counts"].decode()}
    assert (drawn(runs, mask.shape) == mask).all()
    assert compressed(decompressed(runs["counts"])) == runs["counts"]


@pytest.mark.parametrize("mask", [np.zeros((3, 4), bool), np.ones((3, 4), bool)])
def test_masks_of_nothing_and_of_all(mask):
    assert (drawn(runs_of(mask), (3, 4)) == mask).all()


def test_what_is_written_is_read(path):
    rng = np.random.default_rng(0)
    masks, scores = rng.random((4, 7, 5)) < 0.5, np.array([0.9, 0.1, 1.0, 0.5], np.float32)
    write_mask_list(path, masks, scores)
    read = read_mask_list(path, (7, 5))
    assert (read[0] == masks).all()
    assert (read[1] == scores).all()
    assert read[2]
    assert json.loads(path.read_text())["annotations"][0]["area"] == masks[0].sum()


def test_the_form_of_sa_1b_and_a_plain_list(path):
    path.write_text(json.dumps({"image": {}, "annotations": [entry(predicted_iou=0.5, id=7)]}))
    masks, scores, surer = read_mask_list(path, SIZE)
    assert not surer
    assert masks.tolist() == [[[False, True, False], [True, False, False]]]
    assert scores.tolist() == [0.5]
    path.write_text(json.dumps([entry(), entry()]))
    assert read_mask_list(path, SIZE)[1].tolist() == [1.0, 1.0]
    path.write_text("[]")
    assert read_mask_list(path, SIZE)[0].shape == (0, *SIZE)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("7", "no list of masks; give a JSON list"),
        ('{"masks": []}', "no list of masks"),
        ("[7]", "mask 1: its 'segmentation' is null, no run lengths"),
        ('[{"segmentation": [[1, 2]]}]', "no run lengths"),
        (json.dumps([entry([9])]), "mask 1: run lengths of 9 pixels for 6; write it again"),
        (json.dumps([entry([2**60])]), "run lengths of 1152921504606846976 pixels for 6"),
        (json.dumps([entry(), entry([1, -1, 6])]), "mask 2: run lengths that are not whole"),
        (json.dumps([entry(score="high")]), "mask 1: its score is 'high', no number"),
        ('[{"segmentation": {"size": [2, 3], "counts": [6]}, "score": NaN}]', "no number"),
        (json.dumps([entry(score=1), entry()]), "do not all have the same score"),
        ("[", "not valid JSON"),
        (
            json.dumps([{"segmentation": {"size": [3, 2], "counts": [6]}}]),
            r"regions of 3 x 2 pixels \(height x width\), and the image has 2 x 3",
        ),
    ],
)
def test_what_is_no_list_of_masks(path, content, message):
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        read_mask_list(path, SIZE)


def test_a_bomb_of_many_masks_makes_no_array(path, monkeypatch):
    monkeypatch.setattr(mask_lists, "MOST_PIXELS", 17)
    path.write_text(json.dumps([entry()] * 3))
    with pytest.raises(InputError, match="3 masks of 2 x 3 pixels are more than fit"):
        read_mask_list(path, SIZE)
