"""Shapes that pycocotools would draw from foreign memory, or die of."""

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from tests.prepare.builders import instance, rectangle

from weclip.prepare.coco import mask_of_instances
from weclip.prepare.coco_shapes import decompressed, require_size

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
        ([-1e6, 0, 1e6, 1] * 100, "an endless outline"),
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


@pytest.mark.parametrize("area", [float("nan"), float("inf")])
def test_areas_that_have_no_order(area):
    with pytest.raises(ValueError, match="an instance of area"):
        draw([rectangle(0, 0, 2, 2)], area)


@pytest.mark.parametrize("size", [(0, 5), (5, -1), (5, 2.0), ("5", 5), (None, 5), (2**20, 2**20)])
def test_sizes_that_no_image_has(size):
    with pytest.raises(ValueError, match="an image of height"):
        require_size(size)
