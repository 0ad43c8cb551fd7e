from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from weclip.data.images.decoding import read_image
from weclip.system.errors import InputError


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_png_modes(tmp_path: Path, mode: str) -> None:
    Image.new(mode, (5, 4)).save(tmp_path / "i.png")
    image = read_image(tmp_path / "i.png")
    assert (image.mode, image.size) == ("RGB", (5, 4))


def test_16_bit_keeps_the_upper_byte(tmp_path: Path) -> None:
    grey = np.array([[0, 255, 256, 65535]], np.uint16)
    Image.fromarray(grey).save(tmp_path / "i.png")
    Image.fromarray(grey.astype(np.int32)).save(tmp_path / "i.tif")
    for name in ("i.png", "i.tif"):
        pixels = np.asarray(read_image(tmp_path / name))
        np.testing.assert_array_equal(pixels[0, :, 0], [0, 0, 1, 255])


def test_transparency_lies_over_white(tmp_path: Path) -> None:
    Image.new("RGBA", (2, 2), (255, 0, 0, 0)).save(tmp_path / "i.png")
    assert read_image(tmp_path / "i.png").getpixel((0, 0)) == (255, 255, 255)
    Image.new("P", (2, 2)).save(tmp_path / "p.png", transparency=0)
    assert read_image(tmp_path / "p.png").getpixel((0, 0)) == (255, 255, 255)


def test_cmyk_jpeg(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8), "white").convert("CMYK").save(tmp_path / "i.jpg")
    assert min(read_image(tmp_path / "i.jpg").getpixel((4, 4))) > 250


def test_exif_orientation(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to view
    pixels = np.zeros((8, 16, 3), np.uint8)
    pixels[:, :8] = 255  # the left half becomes the upper half
    Image.fromarray(pixels).save(tmp_path / "i.jpg", exif=exif, quality=95)
    image = read_image(tmp_path / "i.jpg")
    assert image.size == (8, 16)
    assert np.asarray(image)[2].min() > 200
    assert np.asarray(image)[13].max() < 50
    assert read_image(tmp_path / "i.jpg", orient=False).size == (16, 8)


def test_broken_exif(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "maker's"
    Image.new("RGB", (8, 4)).save(tmp_path / "i.jpg", exif=exif)
    content = (tmp_path / "i.jpg").read_bytes()
    text, number = b"\x01\x0f\x00\x02\x00\x00\x00\x08", b"\x01\x0f\x00\x05\x00\x00\x00\x01"
    assert content.count(text) == 1  # tag, type and count of the maker
    (tmp_path / "i.jpg").write_bytes(content.replace(text, number))
    assert read_image(tmp_path / "i.jpg").size == (4, 8)


def test_unreadable(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone.jpg: image not found"):
        read_image(tmp_path / "gone.jpg")
    (tmp_path / "text.jpg").write_text("hello")
    with pytest.raises(InputError, match=r"text.jpg: image cannot be read"):
        read_image(tmp_path / "text.jpg")
    (tmp_path / "empty.png").touch()
    with pytest.raises(InputError, match=r"empty.png: image cannot be read"):
        read_image(tmp_path / "empty.png")
    Image.new("F", (2, 2)).save(tmp_path / "f.tif")
    with pytest.raises(InputError, match=r"f.tif: image cannot be read \(floating-point pixels"):
        read_image(tmp_path / "f.tif")


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_truncated(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"cut.{suffix}"
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=rf"cut.{suffix}: image cannot be read"):
        read_image(path)
