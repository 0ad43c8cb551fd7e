"""Counts in bands are those of the whole, and take little memory."""

import tracemalloc

import numpy as np
import pytest
from PIL import Image

from weclip.data.bands import BAND, bands, count_ids
from weclip.data.batch import MaskLabels
from weclip.data.images.decoding import pixels_of
from weclip.data.masks.mask_files import class_ids

LARGE = (3000, 1100)
"""Height and width: a few bands."""


def random_ids(size=LARGE, most=256):
    return np.random.default_rng(0).integers(0, most, size, dtype=np.uint8)


@pytest.mark.parametrize("size", [LARGE, (7, 3), (1, 5 * BAND), (0, 4), (4, 0)])
def test_bands_cover_an_image_once(size):
    rows = [row for band in bands(size) for row in range(size[0])[band]]
    assert rows == list(range(size[0]))
    assert len(list(bands(LARGE))) > 3


def test_counts_are_those_of_the_whole():
    ids = random_ids()
    where = random_ids(most=2).astype(bool)
    assert np.array_equal(count_ids(ids), np.bincount(ids.ravel(), minlength=256))
    assert np.array_equal(count_ids(ids, where), np.bincount(ids[where], minlength=256))
    assert np.array_equal(
        count_ids(ids[::2, ::3]), np.bincount(ids[::2, ::3].ravel(), minlength=256)
    )
    assert count_ids(ids[:1, :1]).dtype == np.int64


def test_pixels_and_ids_are_those_of_the_whole():
    picture = Image.fromarray(random_ids((*LARGE, 3)))
    assert np.array_equal(pixels_of(picture), np.asarray(picture))
    ids = random_ids()
    turned = class_ids(ids, "a.png", labels=MaskLabels(ids=tuple((i, 255 - i) for i in range(256))))
    assert np.array_equal(turned, 255 - ids)


def test_counting_takes_little_memory():
    ids = random_ids()
    labels = MaskLabels(ids=((1, 2),))
    class_ids(ids[:2], "a.png", labels=labels)
    tracemalloc.start()
    count_ids(ids)
    class_ids(ids, "a.png", labels=labels, num_classes=255 + 1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < ids.nbytes + 10 * BAND  # in 64 bits the whole would take 8 times its size
