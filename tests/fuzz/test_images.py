"""Images and masks with damages: decoded, or refused in one line."""

from io import BytesIO
from random import Random

import numpy as np
import pytest
from PIL import Image
from tests.fuzz.budget import damaged, fuzz

from weclip.data.images.decoding import read_image
from weclip.data.images.reading import Reading
from weclip.data.masks.mask_files import read_note, read_pixels, save_mask

pytestmark = pytest.mark.long

FORMATS = {
    "PNG": ".png",
    "JPEG": ".jpg",
    "TIFF": ".tif",
    "GIF": ".gif",
    "WEBP": ".webp",
    "BMP": ".bmp",
}
PIECES = (b"IHDR", b"IDAT", b"tEXt", b"\xff\xd8", b"\xff\xda", b"\xff\xe1Exif", b"II*\0", b"RIFF")


def encoded(form: str, size: tuple[int, int] = (9, 7)) -> bytes:
    """A small image in a format."""
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    content = BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(content, format=form, **({} if form == "BMP" else {"exif": exif}))
    return content.getvalue()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("form", FORMATS)
def test_images(tmp_path, form):
    path, whole = tmp_path / f"image{FORMATS[form]}", encoded(form)

    def read(content):
        path.write_bytes(content)
        assert read_image(path, reading=Reading(10**6)).mode == "RGB"

    fuzz(lambda rng: damaged(rng, whole, PIECES), read)


@pytest.mark.filterwarnings("ignore")
def test_masks(tmp_path):
    path = tmp_path / "mask.png"
    save_mask(np.arange(63, dtype=np.uint8).reshape(9, 7), path, note='{"name": "1"}')
    whole = path.read_bytes()

    def make(rng: Random) -> bytes:
        return damaged(rng, whole, PIECES)

    def read(content):
        path.write_bytes(content)
        read_note(path)
        read_pixels(path)

    fuzz(make, read)
