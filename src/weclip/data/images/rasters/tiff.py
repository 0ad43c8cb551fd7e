"""What a TIFF says of its values, and whether they can be taken for colours without being told.

Stage 1. Reads the header alone, with Pillow.
"""

from os import PathLike
from pathlib import Path
from typing import NamedTuple

from PIL import TiffImagePlugin

from weclip.data.images.image_kinds import FORMAT_OF, suffix_of

_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_BIG = (b"II+\0", b"MM\0+")
_WIDTH, _HEIGHT, _BITS, _SAMPLES, _FORMAT = 256, 257, 258, 277, 339
_GEO = (33550, 33922, 34264, 34735, 42113)
"""Tags of GeoTIFF 1.1: pixel scale, tie points, transformation, key directory; and GDAL's nodata,
which scientific rasters have."""

_UNSIGNED = 1
_ERRORS = (OSError, ValueError, SyntaxError, TypeError, LookupError, RuntimeError, ArithmeticError)


class Tiff(NamedTuple):
    """What a header says.

    Attributes:
        size: (W, H) in pixels.
        bands: Numbers of a pixel.
        bits: Of each number.
        unsigned: Whether they are whole numbers from 0.
        geo: Whether the file lies somewhere on a map, or says which values are no data.
    """

    size: tuple[int, int]
    bands: int
    bits: int
    unsigned: bool
    geo: bool

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
        bits = tags.get(_BITS, (1,))
        return Tiff(
            size=(int(tags[_WIDTH]), int(tags[_HEIGHT])),
            bands=int(tags.get(_SAMPLES, 1)),
            bits=max(map(int, bits if isinstance(bits, tuple) else (bits,))),
            unsigned=set(tags.get(_FORMAT, (_UNSIGNED,))) <= {_UNSIGNED},
            geo=any(tag in tags for tag in _GEO),
        )
    except _ERRORS:
        return None
