"""One list of what is an image: everything in it is decoded, everything else is named."""

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from weclip.data.images import image_kinds
from weclip.data.images.decoding import read_image
from weclip.data.images.image_kinds import FORMAT_OF, formats_for, is_image, why_unread
from weclip.system.errors import InputError

COLOUR = (200, 30, 40)
SAVED = [suffix for suffix, kind in FORMAT_OF.items() if kind in Image.SAVE and kind != "CUR"]
BLACK_AND_WHITE = ("BLP", "MSP", "XBM")


def colour_of(path: Path) -> list[int]:
    return np.asarray(read_image(path))[5, 5].tolist()


@pytest.mark.parametrize("suffix", SAVED)
def test_every_suffix_is_decoded(tmp_path: Path, suffix: str):
    path = tmp_path / f"1{suffix.upper()}"
    image, kind = Image.new("RGB", (16, 16), COLOUR), FORMAT_OF[suffix]
    if kind in BLACK_AND_WHITE:
        image = image.convert("P" if kind == "BLP" else "1")
        expected = image.convert("RGB").getpixel((5, 5))
        if kind == "XBM":
            expected = (0, 0, 0)
    else:
        expected = COLOUR
    image.save(path, format=kind)
    assert np.abs(np.subtract(colour_of(path), expected)).max() <= 2
    assert is_image(path.name)


def test_the_list_is_pillows_without_what_is_no_picture():
    some = {".jpg", ".jfif", ".png", ".webp", ".tif", ".bmp", ".gif", ".ppm", ".tga"}
    assert some <= FORMAT_OF.keys()
    none = {".pdf", ".eps", ".ps", ".wmf", ".emf", ".mpg", ".mpeg", ".fli", ".h5", ".hdf", ".grib"}
    assert not none & FORMAT_OF.keys()


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("1.svg", "a drawing or document"),
        ("1.PDF", "a drawing or document"),
        ("a/1.mp4", "a film"),
        ("1.NEF", "a raw file of a camera"),
        ("1.jxl", "not read by the installed Pillow"),
        ("1.jpg", None),
        ("1.txt", None),
    ],
)
def test_other_pictures_are_told_from_other_files(name: str, advice: str | None):
    found = why_unread(name)
    assert found is None if advice is None else str(found).startswith(advice)


def test_weak_formats_only_under_their_own_suffix(tmp_path: Path):
    """The first bytes of a TGA say nothing, so that any file could be taken for one."""
    assert "TGA" in formats_for("1.tga")
    assert "TGA" not in formats_for("1.jpg")
    Image.new("RGB", (4, 4)).save(tmp_path / "1.tga")
    (tmp_path / "1.tga").rename(tmp_path / "1.jpg")
    with pytest.raises(InputError, match=r"1.jpg: image cannot be read \(no known image format\)"):
        read_image(tmp_path / "1.jpg")


def test_no_program_is_started_for_postscript(tmp_path: Path):
    Image.new("RGB", (4, 4)).save(tmp_path / "1.eps")
    for name in ("1.eps", "1.jpg"):
        (tmp_path / "1.eps").replace(tmp_path / name) if name != "1.eps" else None
        with pytest.raises(InputError, match="image cannot be read"):
            read_image(tmp_path / name)


HEIF_HERE = importlib.util.find_spec("pillow_heif") is not None


@pytest.mark.skipif(HEIF_HERE, reason="pillow-heif is installed")
def test_heic_is_named_with_its_package(tmp_path: Path):
    assert why_unread("1.HEIC") == (
        "needs the package pillow-heif (pip install pillow-heif); or save it as JPEG"
    )
    (tmp_path / "1.heic").write_bytes(b"\0\0\0\x18ftypheic")
    with pytest.raises(InputError, match=r"1.heic: image cannot be read \(needs the package"):
        read_image(tmp_path / "1.heic")


def test_the_package_for_heic_is_used_where_it_is(monkeypatch: pytest.MonkeyPatch):
    """A stand-in registers what `pillow_heif` would; the list is made anew with it."""

    def register() -> None:
        Image.register_open("HEIF", lambda *_: None, lambda prefix: False)
        Image.register_extensions("HEIF", [".heic"])

    fake = SimpleNamespace(register_heif_opener=register)
    monkeypatch.setitem(sys.modules, "pillow_heif", fake)
    monkeypatch.setattr(Image, "OPEN", dict(Image.OPEN))
    monkeypatch.setattr(Image, "EXTENSION", dict(Image.EXTENSION))
    monkeypatch.setattr(Image, "ID", list(Image.ID))
    assert image_kinds._formats_by_suffix()[".heic"] == "HEIF"


def test_formats_that_pillow_was_built_without_are_left_out(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(image_kinds.features, "check", lambda name: name != "avif")
    found = image_kinds._formats_by_suffix()
    assert ".avif" not in found
    assert ".webp" in found
