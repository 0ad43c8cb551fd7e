"""Shapes that pycocotools would draw from foreign memory, or die of."""

import json

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from tests.prepare.builders import instance, rectangle

from weclip.data.masks.run_lengths import decompressed
from weclip.prepare.coco import _make_mask, _read_instances, mask_of_instances
from weclip.prepare.coco_shapes import require_size
from weclip.system.errors import InputError

SIZE = (5, 8)


def draw(segmentation, area=1):
    return mask_of_instances([instance(1, area, segmentation)], SIZE, {1: 1})


@pytest.mark.parametrize("seed", range(20))
def test_compressed_runs_are_those_of_the_library(seed):
    rng = np.random.default_rng(seed)
    mask = rng.random((rng.integers(1, 60), rng.integers(1, 60))) < rng.random()
    runs = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    counts = decompressed(runs["counts"].decode())
    flat, start = np.zeros(mask.size, bool), 0
    for index, count in enumerate(counts):
        flat[start : start + count] = index % 2
        start += count
    assert start == mask.size
    assert np.array_equal(flat.reshape(mask.shape, order="F"), mask)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([3, 4], "run lengths of 7 pixels for 40"),
        ([3, 4, 2**31], "run lengths of 2147483655 pixels for 40"),
        ([41, -1], "not whole numbers from 0 on"),
        ([40.0], "not whole numbers from 0 on"),
        ([True, 39], "not whole numbers from 0 on"),
        ([10**5000], "run lengths of a huge number pixels"),
        (None, "not whole numbers from 0 on"),
        ("", "run lengths of 0 pixels"),
        ("5", "run lengths of 5 pixels"),
        ("X", "end within a number"),
        ("X" * 99, "with the letter"),
        ("5 2", "with the letter"),
        ("\x7f", "with the letter"),
        ("OO", "not whole numbers from 0 on"),
    ],
)
def test_run_lengths_that_do_not_fill_the_image(counts, message):
    with pytest.raises(ValueError, match=message) as caught:
        draw({"size": list(SIZE), "counts": counts})
    assert len(str(caught.value)) < 100


@pytest.mark.parametrize("size", [None, [5], [8, 5], [5.5, 8], 7, [5, 8, 1]])
def test_run_lengths_of_another_size(size):
    with pytest.raises(ValueError, match="run lengths of an image of size"):
        draw({"size": size, "counts": [40]})


@pytest.mark.parametrize(
    ("polygon", "message"),
    [
        ([1e8, 0, 0, 1e8, -1e8, 3], r"the coordinate 100000000\.0"),
        ([0, 0, 0, 3, float("nan"), 3], "the coordinate nan"),
        ([0, 0, 0, 3, float("inf"), 3], "the coordinate inf"),
        ([0, 0, 0, 3, 10**400, 3], "the coordinate a huge number"),
        ([0, 0, 0, 3, "4", 3], "with '4' for a number"),
        ([0, 0, 0, 3, None, 3], "with None for a number"),
        ([0, 0, 0, 3, True, 3], "with True for a number"),
        ([[0, 0], [0, 3], [3, 3]], "for a number"),
        ("0,0,0,3", "not a list of numbers"),
        ([-1e6, 0, 1e6, 1] * 2, "an endless outline"),
    ],
)
def test_polygons_that_are_none(polygon, message):
    with pytest.raises(ValueError, match=message) as caught:
        draw([polygon])
    assert len(str(caught.value)) < 120


@pytest.mark.parametrize("polygon", [[], [1, 1], [1, 1, 2, 2], [0, 0, 4, 4, 2]])
def test_too_few_points_have_no_pixel(polygon):
    assert not draw([polygon]).any()


def test_polygons_are_cut_at_the_border():
    assert draw([rectangle(-30, -20, 2, 400)]).tolist() == [[1] * 8] * 2 + [[0] * 8] * 3


AREAS = [float("nan"), float("inf"), -float("inf"), 10**400, "12", None, True, [1], 1e300]


@pytest.mark.parametrize("area", AREAS)
def test_areas_that_have_no_order(area):
    with pytest.raises(ValueError, match="an instance of area") as caught:
        draw([rectangle(0, 0, 2, 2)], area)
    assert len(str(caught.value)) < 100


def test_many_polygons_and_long_ones_end():
    with pytest.raises(ValueError, match="10001 polygons in one instance"):
        draw([rectangle(0, 0, 2, 2)] * 10_001)
    long = [-1e6, 0, 1e6, 1, -1e6, 3, 1e6, 4] * 7
    with pytest.raises(ValueError, match="an endless outline"):
        draw([long[:6]] * 9)


@pytest.mark.parametrize("shape", ["text", None, 7, True, 1.5])
def test_shapes_of_another_kind(shape):
    with pytest.raises(ValueError, match="neither polygons nor run lengths"):
        draw(shape)


@pytest.mark.parametrize("size", [[True, 8], [5.0, 8], "58", (5, 8)])
def test_sizes_of_run_lengths_are_whole_numbers(size):
    with pytest.raises(ValueError, match="run lengths of an image of size"):
        draw({"size": size, "counts": [40]})


def document(**changes):
    return {
        "images": [
            {"id": 1, "file_name": "COCO_train2014_1.jpg", "height": 5, "width": 8},
            {"id": 2, "file_name": "COCO_train2014_2.jpg", "height": 5, "width": 8},
        ],
        "annotations": [
            instance(7, 4, [rectangle(0, 0, 2, 2)]) | {"image_id": image} for image in (1, 2)
        ],
        "categories": [{"id": 7, "name": "cat"}],
    } | changes


def read(tmp_path, content):
    (tmp_path / "instances.json").write_text(json.dumps(content))
    return _read_instances(tmp_path / "instances.json", tmp_path, False)


def test_a_file_of_instances(tmp_path):
    names, masks = read(tmp_path, document())
    assert names == ["COCO_train2014_1", "COCO_train2014_2"]
    assert [mask.path.name for mask in masks] == ["1.png", "2.png"]


def image(**changes):
    return [{"id": 1, "file_name": "a_1.jpg", "height": 5, "width": 8} | changes]


ONE = [instance(7, 4, []) | {"image_id": 1}]
NOT_COCO = "not a COCO instances file"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"categories": [{"id": 7}, {"id": 7}]}, "2 categories; up to 254 of different ids"),
        ({"categories": [{"id": i} for i in range(255)]}, "255 categories; up to 254"),
        ({"categories": [{"id": 9}]}, NOT_COCO),
        ({"categories": [{"id": []}]}, NOT_COCO),
        ({"categories": [7]}, NOT_COCO),
        ({"annotations": {"a": 1}}, NOT_COCO),
        ({"annotations": [{"image_id": 3, "category_id": 7}]}, NOT_COCO),
        ({"annotations": [{"category_id": 7}]}, NOT_COCO),
        ({"images": image(height=0), "annotations": ONE}, "an image of height 0 and width 8"),
        ({"images": image(height=-5), "annotations": ONE}, "an image of height -5"),
        ({"images": image(height="5"), "annotations": ONE}, "an image of height '5'"),
        ({"images": image(width=5.5), "annotations": ONE}, r"an image of height 5 and width 5\.5"),
        ({"images": image(width=2**40), "annotations": ONE}, "an image of height 5 and width"),
        ({"images": image(width=10**400), "annotations": ONE}, "a number of 1329 bits"),
        ({"images": image(file_name="a_\x1b[2J.jpg"), "annotations": ONE}, "control characters"),
        ({"images": image(file_name="a\0.jpg"), "annotations": ONE}, "control characters"),
        ({"images": image(file_name="a" * 300), "annotations": ONE}, "longer than names of files"),
        ({"images": image(file_name=7), "annotations": ONE}, NOT_COCO),
        (
            {
                "images": [*image(), *image(id=2, file_name="b_1.jpg")],
                "annotations": [ONE[0], ONE[0] | {"image_id": 2}],
            },
            r"two images have the mask 1\.png",
        ),
    ],
)
def test_files_that_are_no_instances(tmp_path, changes, message):
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path, document(**changes))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300 + len(str(tmp_path))


@pytest.mark.parametrize("name", ["../../../evil.jpg", "/etc/evil.jpg", "a/../../evil.jpg"])
def test_masks_are_written_where_they_belong(tmp_path, name):
    _, masks = read(tmp_path, document(images=image(file_name=name), annotations=ONE))
    assert masks[0].path == tmp_path / "evil.png"


def test_a_shape_that_cannot_be_drawn_is_one_line(tmp_path):
    bad = [ONE[0] | {"segmentation": {"size": [8, 5], "counts": [40]}}]
    _, masks = read(tmp_path, document(images=image(), annotations=bad))
    with pytest.raises(InputError, match=r"1\.png: its instances cannot be drawn .run lengths"):
        _make_mask(masks[0])


@pytest.mark.parametrize("size", [(0, 5), (5, -1), (5, 2.0), ("5", 5), (None, 5), (2**20, 2**20)])
def test_sizes_that_no_image_has(size):
    with pytest.raises(ValueError, match="an image of height"):
        require_size(size)
