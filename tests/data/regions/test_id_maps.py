"""Id maps as PNGs: read, refused, written."""

import numpy as np
import pytest
from PIL import Image

from weclip.data.masks.mask_files import save_mask
from weclip.data.regions.id_maps import (
    MOST_REGIONS,
    numbered,
    read_id_map,
    read_region_note,
    save_id_map,
)
from weclip.system.errors import InputError

IDS = np.array([[0, 1, 1], [300, 300, 65535]], np.int32)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.png"


def test_what_is_written_is_read(path):
    save_id_map(IDS, path, "made so")
    assert (read_id_map(path) == IDS).all()
    assert read_id_map(path).dtype == np.int32
    assert read_region_note(path) == "made so"
    with Image.open(path) as image:
        assert image.mode == "I;16"


def test_8_bits_are_read(path):
    Image.fromarray(np.array([[0, 7], [255, 1]], np.uint8)).save(path)
    assert read_id_map(path).tolist() == [[0, 7], [255, 1]]


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (Image.new("RGB", (3, 2)), r"colours \(mode RGB\) are no numbers of regions"),
        (Image.new("RGBA", (3, 2)), r"colours \(mode RGBA\) are no numbers"),
        (Image.new("LA", (3, 2)), r"colours \(mode LA\) are no numbers"),
        (Image.new("1", (3, 2)), r"colours \(mode 1\) are no numbers"),
        (Image.new("P", (3, 2)), "a PNG with a palette, as masks of classes are, is no id map"),
    ],
)
def test_pictures_that_are_no_id_map(path, image, message):
    image.save(path)
    with pytest.raises(InputError, match=message) as caught:
        read_id_map(path)
    assert "one channel of 8 or 16 bits" in str(caught.value)


def test_a_mask_of_ours_is_no_id_map(path):
    save_mask(np.zeros((2, 3), np.uint8), path, None, "note")
    with pytest.raises(InputError, match="a mask of classes that weclip wrote"):
        read_id_map(path)


def test_other_files(path):
    with pytest.raises(InputError, match="id map not found"):
        read_id_map(path)
    path.write_bytes(b"nothing")
    with pytest.raises(InputError, match="not a PNG file"):
        read_id_map(path)
    Image.new("L", (3, 2)).save(path, format="TIFF")
    with pytest.raises(InputError, match="an id map is a PNG, and this is TIFF"):
        read_id_map(path)
    rng = np.random.default_rng(0)
    save_id_map(rng.integers(0, 9, (90, 90)).astype(np.int32), path, "")
    path.write_bytes(path.read_bytes()[:-900])
    with pytest.raises(InputError, match="id map is broken"):
        read_id_map(path)
    with pytest.raises(InputError, match=r"more than data\.max_pixels=9 allows"):
        read_id_map(path, max_pixels=9)


def test_large_numbers_are_counted_anew():
    assert numbered(IDS) is IDS
    assert numbered(np.array([[0, 2**20, 5]], np.int32)).tolist() == [[0, 2, 1]]
    assert numbered(np.array([[-1, 0, 5]], np.int32)).tolist() == [[1, 0, 2]]
    many = np.arange(2, MOST_REGIONS + 3, dtype=np.int32)[None]
    with pytest.raises(InputError, match="65536 regions in one image, more than 65535"):
        numbered(many)
