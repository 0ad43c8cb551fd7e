"""Corrected masks are looked at before a run, and read with their image."""

import numpy as np
import pytest
from PIL import Image

from weclip.data.batch import TaggedImage
from weclip.data.corrections.masks import CorrectedMasks, look_at_corrected
from weclip.data.masks.mask_files import save_mask
from weclip.system.errors import InputError

MASK = np.array([[0, 2, 255], [1, 2, 0]], np.uint8)


@pytest.fixture
def image(tmp_path):
    Image.new("RGB", (3, 2)).save(tmp_path / "1.png")
    return TaggedImage("1", tmp_path / "1.png", ())


@pytest.fixture
def masks(tmp_path):
    save_mask(MASK, tmp_path / "mask.png")
    return CorrectedMasks({"1": tmp_path / "mask.png"})


def test_classes_and_digests_are_those_of_the_pixels(image, masks, tmp_path):
    other = TaggedImage("2", image.path, ())
    seen = look_at_corrected(masks, [image, other], 3)
    assert seen.shown == {"1": (0, 1)}
    np.testing.assert_array_equal(masks.read("1"), MASK)
    assert masks.read("2") is None
    save_mask(MASK, tmp_path / "mask.png", palette=None, note="written again")
    assert look_at_corrected(masks, [image], 3).digest == seen.digest
    save_mask(MASK[::-1].copy(), tmp_path / "mask.png")
    assert look_at_corrected(masks, [image], 3).digest != seen.digest


def test_a_mask_of_another_size_is_refused(image, masks, tmp_path):
    save_mask(MASK.T.copy(), tmp_path / "mask.png")
    with pytest.raises(InputError, match=r"mask.png: the mask is 2 x 3 .*1.png is 3 x 2"):
        look_at_corrected(masks, [image], 3)


def test_an_unknown_class_is_refused(image, masks):
    with pytest.raises(InputError, match=r"mask.png: mask has class ids \[2\]; allowed are 0 to 1"):
        look_at_corrected(masks, [image], 2)


def test_a_mask_that_has_gone_is_named(masks, tmp_path):
    (tmp_path / "mask.png").unlink()
    with pytest.raises(InputError, match=r"mask.png: mask not found"):
        masks.read("1")
