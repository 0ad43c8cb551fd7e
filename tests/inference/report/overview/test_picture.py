"""Outlines, hatching and places of names."""

import io

import numpy as np
from PIL import Image

from weclip.data.masks.colours import VOC_COLOURS
from weclip.inference.report.overview.picture import (
    LONG_SIDE,
    name_places,
    outlined,
    paint,
    photo,
    resized_ids,
)


def square(side=20, low=4, high=16):
    ids = np.zeros((side, side), np.uint8)
    ids[low:high, low:high] = 1
    return ids


def test_a_region_has_an_outline_of_its_colour_and_a_tint_inside():
    grey = np.full((20, 20, 3), 100, np.uint8)
    painted = paint(grey, square(), VOC_COLOURS)
    assert painted[4, 4].tolist() == painted[6, 10].tolist() == [128, 0, 0]
    assert painted[10, 10].tolist() == [110, 65, 65]  # 0.65 of the image
    assert painted[3, 10].tolist() == [255] * 3
    assert painted[0, 0].tolist() == [100] * 3


def test_what_is_unsure_is_hatched_and_has_no_outline():
    ids = np.full((16, 16), 255, np.uint8)
    painted = paint(np.zeros((16, 16, 3), np.uint8), ids, VOC_COLOURS)
    hatched = (painted == VOC_COLOURS[255]).all(-1)
    assert hatched.mean() == 0.25
    assert not painted[~hatched].any()


def test_names_lie_inside_and_apart():
    ids = np.zeros((100, 200), np.uint8)
    ids[10:30, 20:180] = 1
    ids[31:36, 20:180] = 2
    ids[90:91, 0:1] = 3  # too small for a name
    ids[60:90, 0:40] = 255
    places = name_places(ids)
    assert set(places) == {1, 2}
    x, y = places[1]
    assert ids[int(100 * y), int(200 * x)] == 1
    assert places[2][1] - y >= 0.1


def test_panels_are_small_pictures_of_the_images_shape():
    image = np.zeros((30, 60, 3), np.uint8)
    panel = outlined(image, np.ones((30, 60), np.uint8), VOC_COLOURS, "mask")
    assert panel.size == photo(image).size == (LONG_SIDE, LONG_SIDE // 2)
    assert Image.open(io.BytesIO(panel.jpeg)).size == panel.size
    assert list(panel.places) == [1]
    assert photo(image).places == {}
    assert photo(np.zeros((1, 5000, 3), np.uint8)).size == (LONG_SIDE, 1)


def test_ids_are_never_mixed():
    ids = resized_ids(np.array([[0, 9], [255, 3]], np.uint8), (3, 5))
    assert set(ids.flat) == {0, 9, 255, 3}
    assert np.array_equal(resized_ids(ids, (3, 5)), ids)
