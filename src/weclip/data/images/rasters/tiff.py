"""What a TIFF says of its values, and whether they can be taken for colours without being told.

Stage 1. Reads the header alone, with Pillow.
"""

from os import PathLike
from pathlib import Path
from typing import NamedTuple

from PIL import TiffImagePlugin

from weclip.data.images.image_kinds import FORMAT_OF, suffix_of
from weclip.data.images.rasters.turns import ON_THEIR_SIDE, TURNS

_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_BIG = (b"II+\0", b"MM\0+")
_WIDTH, _HEIGHT, _BITS, _SAMPLES, _FORMAT = 256, 257, 258, 277, 339
_MEANING, _ORIENTATION = 262, 274
_GEO = (33550, 33922, 34264, 34735, 42113, 50844)
"""Tags of GeoTIFF 1.1: pixel scale, tie points, transformation, key directory; and GDAL's nodata,
which scientific rasters have, and coefficients of a satellite's camera (RPC)."""

_BESIDE = (".tfw", ".tifw", ".tiffw", ".wld", "_RPC.TXT", "_rpc.txt", ".RPB", ".rpb")
"""Ends of files beside a TIFF that say where it lies, which GDAL reads: world files, and RPC."""

_NOTES, _PLACES = ".aux.xml", (b"<GeoTransform>", b"<GCPList", b"<NoDataValue>", b'domain="RPC"')
"""GDAL's notes beside a file, and what in them says where it lies, or which values are no data."""

_LONGEST_NOTES = 2**20
_UNSIGNED, _COMPLEX = 1, {5, 6}
_WHITE_IS_0, _BLACK_IS_0 = 0, 1
_OTHER_MEANINGS = {3: "colours of a palette", 5: "CMYK", 8: "L*a*b*"}
"""What numbers of a pixel may be other than grey or red, green and blue (TIFF 6.0, tag 262)."""

_ERRORS = (OSError, ValueError, SyntaxError, TypeError, LookupError, RuntimeError, ArithmeticError)


class Tiff(NamedTuple):
    """What a header says.

    Attributes:
        size: (W, H) in pixels, upright.
        bands: Numbers of a pixel.
        bits: Of each number.
        unsigned: Whether they are whole numbers from 0.
        geo: Whether the file, or one beside it, says where on a map it lies, or which values are no
            data.
        orientation: As in EXIF, 1 (upright) to 8.
        white_is_0: Whether the least value is white.
        other: What the numbers are, where no range can make them colours; None of all else.
    """

    size: tuple[int, int]
    bands: int
    bits: int
    unsigned: bool
    geo: bool
    orientation: int
    white_is_0: bool
    other: str | None

    @property
    def has_colours(self) -> bool:
        """Whether it holds 8-bit grey, a palette or RGB.

        Four bands of a map may be red, green, blue and infrared, whatever the file calls the last.
        """
        return self.bands in (1, 3) and self.bits <= 8 and self.unsigned

    @property
    def kind(self) -> str:
        """In words, such as `13 bands of 16 bits`."""
        bands = f"{self.bands} band{'' if self.bands == 1 else 's'}"
        return f"{bands} of {self.bits} bits"


def is_tiff(path: str | PathLike[str]) -> bool:
    """Whether a file is a TIFF by its name."""
    return FORMAT_OF.get(suffix_of(str(path))) == "TIFF"


def tiff_of(path: str | PathLike[str]) -> Tiff | None:
    """What a TIFF says; None for another file, or one whose header is broken."""
    try:
        if not Path(path).is_file():  # a pipe might never end
            return None
        with Path(path).open("rb") as file:
            head = file.read(8)
            if head[:4] not in _MAGIC:
                return None
            head += file.read(8) if head[:4] in _BIG else b""
            tags = TiffImagePlugin.ImageFileDirectory_v2(head)
            file.seek(tags.next)
            tags.load(file)
        return _from_tags(tags, Path(path))
    except _ERRORS:
        return None


def _from_tags(tags: TiffImagePlugin.ImageFileDirectory_v2, path: Path) -> Tiff:
    bits, formats = tags.get(_BITS, (1,)), set(tags.get(_FORMAT, (_UNSIGNED,)))
    meaning, orientation = tags.get(_MEANING, _BLACK_IS_0), tags.get(_ORIENTATION, 1)
    orientation = orientation if orientation in TURNS else 1
    width, height = int(tags[_WIDTH]), int(tags[_HEIGHT])
    return Tiff(
        size=(height, width) if orientation in ON_THEIR_SIDE else (width, height),
        bands=int(tags.get(_SAMPLES, 1)),
        bits=max(map(int, bits if isinstance(bits, tuple) else (bits,))),
        unsigned=formats <= {_UNSIGNED},
        geo=any(tag in tags for tag in _GEO) or _has_place_beside(path),
        orientation=orientation,
        white_is_0=meaning == _WHITE_IS_0,
        other="complex" if formats & _COMPLEX else _OTHER_MEANINGS.get(meaning),
    )


def _has_place_beside(path: Path) -> bool:
    """Whether a file beside a TIFF says where on a map it lies, or which values are no data."""
    stem = path.with_suffix("")
    for end in _BESIDE:
        if any(Path(f"{stem}{each}").is_file() for each in {end, end.upper()}):
            return True
    notes = Path(f"{path}{_NOTES}")
    if not notes.is_file():
        return False
    with notes.open("rb") as file:
        content = file.read(_LONGEST_NOTES)
    return any(each in content for each in _PLACES)
