"""Every kind of image file that users have, and the one rule for each (`docs/data.md`)."""

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from weclip.data.images.decoding import read_image
from weclip.data.inspection.file_facts import read_facts
from weclip.inference.given_image import as_rgb
from weclip.system.errors import InputError

RED = (200, 30, 40)


def near(image: Image.Image, colour: tuple[int, int, int], tolerance: int = 3) -> bool:
    difference = np.asarray(image, np.int64) - np.array(colour)
    return image.mode == "RGB" and bool(np.abs(difference).max() <= tolerance)


def noise(height: int = 24, width: int = 32) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def half_clear(mode: str) -> Image.Image:
    """Left half opaque red, right half clear, in a mode with alpha."""
    image = Image.new("RGBA", (8, 4), (*RED, 255))
    image.paste((*RED, 0), (4, 0, 8, 4))
    return image.convert(mode)


OPAQUE = [
    ("1", "png"), ("1", "tif"), ("1", "bmp"), ("L", "png"), ("L", "jpg"), ("L", "gif"),
    ("P", "png"), ("P", "tif"), ("P", "gif"), ("P", "bmp"),
    ("RGB", "png"), ("RGB", "jpg"), ("RGB", "bmp"), ("RGB", "tif"), ("RGB", "webp"),
    ("RGBX", "tif"), ("CMYK", "tif"), ("CMYK", "jpg"), ("YCbCr", "tif"), ("YCbCr", "jpg"),
    ("LAB", "tif"),
]  # fmt: skip
WHAT_RED_BECOMES = {"1": (0, 0, 0), "L": (82, 82, 82)}  # 0.299 R + 0.587 G + 0.114 B


@pytest.mark.parametrize(("mode", "suffix"), OPAQUE)
def test_opaque_modes(tmp_path: Path, mode: str, suffix: str) -> None:
    red = Image.new("RGB", (16, 16), RED)
    image = red.convert(mode, dither=Image.Dither.NONE) if mode != "LAB" else lab(red)
    image.save(tmp_path / f"i.{suffix}")
    found = read_image(tmp_path / f"i.{suffix}")
    assert found.size == (16, 16)
    tolerance = 26 if mode == "P" else 3  # the web palette has steps of 51
    assert near(found, WHAT_RED_BECOMES.get(mode, RED), tolerance)


def lab(image: Image.Image) -> Image.Image:
    from PIL import ImageCms

    return ImageCms.profileToProfile(
        image, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [("LA", "png"), ("LA", "tif"), ("PA", "tif"), ("RGBA", "png"), ("RGBA", "tif"),
     ("RGBA", "webp"), ("RGBA", "gif")],
)  # fmt: skip
def test_alpha_lies_over_white(tmp_path: Path, mode: str, suffix: str) -> None:
    half_clear(mode).save(
        tmp_path / f"i.{suffix}", **({"lossless": True} if suffix == "webp" else {})
    )
    found = read_image(tmp_path / f"i.{suffix}")
    left, right = found.crop((0, 0, 4, 4)), found.crop((4, 0, 8, 4))
    assert near(left, (82, 82, 82) if mode == "LA" else RED, 26 if mode == "PA" else 3)
    assert near(right, (255, 255, 255), 0)


@pytest.mark.parametrize("transparency", [1, b"\xff\x00"])
def test_a_clear_palette_entry_lies_over_white(tmp_path: Path, transparency) -> None:
    image = Image.fromarray(np.array([[0, 1]], np.uint8))
    image.putpalette([*RED, 10, 20, 30])
    image.save(tmp_path / "i.png", transparency=transparency)
    found = read_image(tmp_path / "i.png")
    assert [found.getpixel((x, 0)) for x in (0, 1)] == [RED, (255, 255, 255)]


def test_a_clear_colour_lies_over_white(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[RED, (1, 2, 3)]], np.uint8))
    image.save(tmp_path / "i.png", transparency=(1, 2, 3))
    found = read_image(tmp_path / "i.png")
    assert [found.getpixel((x, 0)) for x in (0, 1)] == [RED, (255, 255, 255)]


@pytest.mark.parametrize("mode", ["La", "RGBa", "HSV", "PA", "I;16B", "LAB"])
def test_pil_images_of_modes_that_no_file_has(mode: str) -> None:
    """Opaque red or grey, through the door of `SegmentationModel.predict`."""
    red = Image.new("RGB", (4, 4), RED)
    made = {
        "La": lambda: red.convert("LA").convert("La"),
        "RGBa": lambda: red.convert("RGBA").convert("RGBa"),
        "HSV": lambda: red.convert("HSV"),
        "PA": lambda: red.convert("P", dither=Image.Dither.NONE).convert("PA"),
        "I;16B": lambda: Image.new("I;16B", (4, 4), 82 * 256),
        "LAB": lambda: lab(red),
    }[mode]()
    assert made.mode == mode
    expected = (82, 82, 82) if mode in ("La", "I;16B") else RED
    assert near(Image.fromarray(as_rgb(made)), expected, 26 if mode == "PA" else 4)


def test_a_pil_image_is_read_as_its_file_but_for_exif(tmp_path: Path) -> None:
    half_clear("RGBA").save(tmp_path / "i.png")
    with Image.open(tmp_path / "i.png") as image:
        np.testing.assert_array_equal(as_rgb(image), as_rgb(tmp_path / "i.png"))
    with pytest.raises(InputError, match=r"PIL image of mode F: floating-point"):
        as_rgb(Image.new("F", (2, 2)))


def without_adobe(jpeg: bytes) -> bytes:
    start = jpeg.index(b"\xff\xee")
    assert jpeg[start + 4 : start + 9] == b"Adobe"
    return jpeg[:start] + jpeg[start + 2 + int.from_bytes(jpeg[start + 2 : start + 4], "big") :]


def test_cmyk_jpegs_are_inverted_with_and_without_adobes_mark(tmp_path: Path) -> None:
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "adobe.jpg", quality=95)
    (tmp_path / "plain.jpg").write_bytes(without_adobe((tmp_path / "adobe.jpg").read_bytes()))
    for name in ("adobe.jpg", "plain.jpg"):
        assert near(read_image(tmp_path / name), (255, 0, 0))


GREY_16 = np.array([[0, 255, 256, 32768, 65535]], np.uint16)


@pytest.mark.parametrize("name", ["i.png", "little.tif", "big.tif", "lzw.tif", "wide.tif"])
def test_16_bit_grey_keeps_its_upper_8_bits(tmp_path: Path, name: str) -> None:
    image = Image.fromarray(GREY_16)
    if name == "big.tif":
        image = Image.frombytes("I;16B", image.size, GREY_16.astype(">u2").tobytes())
    if name == "wide.tif":
        image = Image.fromarray(GREY_16.astype(np.int32))
    image.save(tmp_path / name, **({"compression": "tiff_lzw"} if name == "lzw.tif" else {}))
    with Image.open(tmp_path / name) as opened:
        assert opened.mode == {"big.tif": "I;16B", "wide.tif": "I"}.get(name, "I;16")
    found = np.asarray(read_image(tmp_path / name))
    np.testing.assert_array_equal(found, np.repeat((GREY_16 >> 8)[..., None], 3, axis=2))


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bit_colour_keeps_its_upper_8_bits(tmp_path: Path, suffix: str) -> None:
    import cv2

    pixels = np.random.default_rng(0).integers(0, 65536, (5, 7, 3), dtype=np.uint16)
    cv2.imwrite(str(tmp_path / f"i.{suffix}"), pixels[..., ::-1])
    np.testing.assert_array_equal(np.asarray(read_image(tmp_path / f"i.{suffix}")), pixels >> 8)


@pytest.mark.parametrize("value", [-1, 65536])
def test_integers_beyond_16_bits_are_refused(tmp_path: Path, value: int) -> None:
    Image.fromarray(np.array([[0, value]], np.int32)).save(tmp_path / "i.tif")
    with pytest.raises(InputError, match=r"i.tif: image cannot be read \(integers beyond 16 bits"):
        read_image(tmp_path / "i.tif")


def test_8_bits_saved_as_16_are_black_and_told(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 255]], np.uint16)).save(tmp_path / "dark.png")
    assert np.asarray(read_image(tmp_path / "dark.png")).max() == 0
    Image.fromarray(np.array([[0, 256]], np.uint16)).save(tmp_path / "fair.png")
    assert [read_facts(tmp_path / n, None, num_classes=2).dark for n in ("dark.png", "fair.png")] \
        == [True, False]  # fmt: skip


def test_progressive_jpeg(tmp_path: Path) -> None:
    image = Image.fromarray(noise())
    image.save(tmp_path / "a.jpg", progressive=True)
    image.save(tmp_path / "b.jpg")
    assert b"\xff\xc2" in (tmp_path / "a.jpg").read_bytes()
    found = [np.asarray(read_image(tmp_path / name)) for name in ("a.jpg", "b.jpg")]
    np.testing.assert_array_equal(*found)


CUT = {"a.jpg": {}, "b.jpg": {"progressive": True}, "c.png": {}, "d.webp": {}, "e.gif": {},
       "f.bmp": {}, "g.tif": {}, "h.tif": {"compression": "tiff_lzw"}}  # fmt: skip


@pytest.mark.parametrize("name", CUT)
@pytest.mark.parametrize("part", [0.5, 0.9])
def test_a_truncated_file_is_refused(tmp_path: Path, name: str, part: float) -> None:
    path = tmp_path / name
    Image.fromarray(noise(64, 64)).save(path, **CUT[name])
    path.write_bytes(path.read_bytes()[: int(part * path.stat().st_size)])
    with pytest.raises(InputError, match=f"{name}: image cannot be read"):
        read_image(path)


def test_webp_lossy_and_lossless(tmp_path: Path) -> None:
    Image.new("RGB", (16, 16), RED).save(tmp_path / "lossy.webp")
    assert near(read_image(tmp_path / "lossy.webp"), RED, 6)
    Image.fromarray(noise()).save(tmp_path / "lossless.webp", lossless=True)
    np.testing.assert_array_equal(np.asarray(read_image(tmp_path / "lossless.webp")), noise())


@pytest.mark.parametrize("suffix", ["webp", "gif", "png", "tif"])
def test_the_first_frame_or_page_is_read(tmp_path: Path, suffix: str) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in (RED, "blue", "green")]
    path = tmp_path / f"i.{suffix}"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    with Image.open(path) as image:
        assert image.n_frames == 3
    assert near(read_image(path), RED, 6)


def tiled_tiff(pixels: np.ndarray) -> bytes:
    """A grey TIFF (H, W) in two tiles of 16 x 16 side by side; Pillow itself writes strips only."""
    tiles = [pixels[:, :16].tobytes(), pixels[:, 16:].tobytes()]
    first = 8 + 2 + 10 * 12 + 4 + 16  # header, count, entries, end, offsets and lengths of tiles
    extra = struct.pack("<4I", first, first + 256, 256, 256)
    at = first - 16
    short, long = 3, 4
    entries = [
        (256, short, 1, 32), (257, short, 1, 16), (258, short, 1, 8), (259, short, 1, 1),
        (262, short, 1, 1), (277, short, 1, 1), (322, short, 1, 16), (323, short, 1, 16),
        (324, long, 2, at), (325, long, 2, at + 8),
    ]  # fmt: skip
    directory = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    head = b"II*\0" + struct.pack("<IH", 8, len(entries))
    return head + directory + struct.pack("<I", 0) + extra + b"".join(tiles)


def test_tiled_tiff(tmp_path: Path) -> None:
    pixels = noise(16, 32)[..., 0]
    (tmp_path / "i.tif").write_bytes(tiled_tiff(pixels))
    with Image.open(tmp_path / "i.tif") as opened:
        assert opened.tag_v2[322] == 16
    np.testing.assert_array_equal(np.asarray(read_image(tmp_path / "i.tif"))[..., 0], pixels)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("value", range(1, 9))
def test_all_exif_orientations(tmp_path: Path, suffix: str, value: int) -> None:
    """Each file stores what a camera held that way records, and must look upright."""
    upright = np.full((16, 32), 255, np.uint8)
    upright[:8, :16] = 0  # the dark corner is the upper left one
    stored = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: a.T,
        6: lambda a: np.rot90(a, 1),
        7: lambda a: np.rot90(a, 2).T,
        8: lambda a: np.rot90(a, 3),
    }[value](upright)
    exif = Image.Exif()
    exif[0x0112] = value
    path = tmp_path / f"i.{suffix}"
    Image.fromarray(np.ascontiguousarray(stored)).convert("RGB").save(path, exif=exif)
    found = np.asarray(read_image(path))[..., 0]
    assert found.shape == (16, 32)
    assert np.abs(found.astype(int) - upright).max() < 40
    assert read_facts(path, None, num_classes=2).turned == (value > 1 and suffix != "tif")


@pytest.mark.parametrize("value", [0, 9, 77])
def test_an_orientation_that_does_not_exist_is_upright(tmp_path: Path, value: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = value
    Image.new("RGB", (8, 4)).save(tmp_path / "i.jpg", exif=exif)
    assert read_image(tmp_path / "i.jpg").size == (8, 4)


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1)])
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
def test_thin_images(tmp_path: Path, size: tuple[int, int], suffix: str) -> None:
    Image.new("RGB", size, RED).save(tmp_path / f"i.{suffix}")
    found = read_image(tmp_path / f"i.{suffix}")
    assert found.size == size
    assert near(found, RED)


def test_the_content_decides_and_not_the_suffix(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4), RED).save(tmp_path / "i.jpg", format="PNG")
    assert near(read_image(tmp_path / "i.jpg"), RED, 0)


def test_formats_that_start_programs_are_not_opened(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "i.jpg", format="EPS")
    with pytest.raises(InputError, match="no known image format"):
        read_image(tmp_path / "i.jpg")
