"""`max_pixels` decides which images are decoded; Pillow's own limit stays the host program's."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.data.builders import write_image, write_mask

from weclip.data.batch import MaskedImage, TaggedImage
from weclip.data.classes import ClassList
from weclip.data.images.decoded_cache import DecodedCache
from weclip.data.images.decoding import read_image
from weclip.data.images.full_images import full_images
from weclip.data.images.reading import MAX_PIXELS, Reading
from weclip.data.inspection.file_facts import read_facts
from weclip.data.masks.mask_files import read_mask
from weclip.inference.given_image import as_rgb
from weclip.system.errors import InputError

TOO_LARGE = r"too large: 50 x 40 = 2000 pixels, more than data.max_pixels=1999 allows; raise data"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return write_image(tmp_path / "image.png", (50, 40))


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    return write_mask(tmp_path / "mask.png", (50, 40))


def test_the_default_is_pillows_own():
    assert Image.MAX_IMAGE_PIXELS is not None
    assert MAX_PIXELS == 2 * Image.MAX_IMAGE_PIXELS == 178_956_970


def test_the_largest_allowed_is_read(image, mask):
    assert read_image(image, reading=Reading(2000)).size == (50, 40)
    assert as_rgb(image, reading=Reading(2000)).shape == (40, 50, 3)
    assert read_mask(mask, max_pixels=2000).shape == (40, 50)
    sample = MaskedImage("a", image, mask, None)
    assert read_facts(image, sample, num_classes=4, reading=Reading(2000)).problems == ()


def test_a_larger_one_is_refused_everywhere(image, mask, pets: ClassList, tmp_path):
    cache = DecodedCache(tmp_path / "cache", reading=Reading(1999))
    samples = [MaskedImage("a", write_image(tmp_path / "small.png", (9, 9)), mask, None)]
    reads = {
        image: [
            lambda: read_image(image, reading=Reading(1999)),
            lambda: cache(image),
            lambda: as_rgb(image, reading=Reading(1999)),
        ],
        mask: [
            lambda: read_mask(mask, max_pixels=1999),
            lambda: list(
                full_images(samples, num_classes=pets.num_classes, reading=Reading(1999), workers=1)
            ),
        ],
    }
    for path, attempts in reads.items():
        for attempt in attempts:
            with pytest.raises(InputError, match=rf"{path.name}: {TOO_LARGE}"):
                attempt()
    facts = read_facts(
        image, MaskedImage("a", image, mask, None), num_classes=4, reading=Reading(1999)
    )
    assert [kind for kind, _ in facts.problems] == ["unreadable_images", "unreadable_masks"]
    assert facts.size is None
    assert cache.bytes_needed([TaggedImage("a", image, ())]) == 0


def test_what_the_cache_holds_is_refused_too(image, tmp_path):
    DecodedCache(tmp_path / "cache")(image)
    with pytest.raises(InputError, match=TOO_LARGE):
        DecodedCache(tmp_path / "cache", reading=Reading(1999))(image)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "gif", "bmp", "tif"])
@pytest.mark.parametrize("pillows_limit", [1500, 100])  # warns, refuses
def test_pillows_limit_is_neither_obeyed_nor_changed(
    tmp_path, monkeypatch, recwarn, suffix, pillows_limit
):
    warnings.simplefilter("always")
    path = write_image(tmp_path / f"image.{suffix}", (50, 40))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", pillows_limit)
    assert read_image(path).size == (50, 40)
    assert not recwarn.list
    assert pillows_limit == Image.MAX_IMAGE_PIXELS
    with pytest.raises(InputError, match=TOO_LARGE):
        read_image(path, reading=Reading(1999))
    (tmp_path / "text.png").write_text("hello")
    with pytest.raises(InputError, match="no known image format"):
        read_image(tmp_path / "text.png")
    assert pillows_limit == Image.MAX_IMAGE_PIXELS


def test_threads_leave_pillows_limit_as_it_was(image, monkeypatch):
    from concurrent.futures import ThreadPoolExecutor

    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1500)
    with ThreadPoolExecutor(8) as pool:
        images = list(pool.map(lambda _: np.asarray(read_image(image)).shape, range(200)))
    assert set(images) == {(40, 50, 3)}
    assert Image.MAX_IMAGE_PIXELS == 1500


def test_pixels_are_not_decoded_before_they_are_counted(tmp_path):
    path = write_image(tmp_path / "image.png", (50, 40))
    path.write_bytes(path.read_bytes()[:60])  # the header is whole
    with pytest.raises(InputError, match=TOO_LARGE):
        read_image(path, reading=Reading(1999))
