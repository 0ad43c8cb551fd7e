"""Reading image files of any common kind as RGB.

Stage 1, and the input of prediction. `docs/data.md` has a table of what happens to each kind.
"""

import stat
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from os import PathLike
from pathlib import Path
from threading import Lock

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, UnidentifiedImageError

from weclip.data.bands import bands
from weclip.data.images.image_kinds import formats_for, why_unread
from weclip.data.images.rasters.bands import read_bands, refusal
from weclip.data.images.rasters.tiff import is_tiff, tiff_of
from weclip.data.images.reading import PLAIN, Reading, require_pixels
from weclip.system.errors import InputError
from weclip.system.untrusted.files import no_file

DECODE_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    AttributeError,
    TypeError,
    LookupError,
    ArithmeticError,
    RuntimeError,
    zlib.error,
)
"""What Pillow raises for broken files."""

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation -> what turns the image upright (EXIF 2.32, tag 0x0112)."""

_ON_THEIR_SIDE = (5, 6, 7, 8)

_PILLOWS_LIMIT = Lock()


def read_image(
    path: str | PathLike[str], *, orient: bool = True, reading: Reading = PLAIN
) -> Image.Image:
    """Read an image file as RGB.

    16-bit greyscale keeps its upper 8 bits; transparency is laid over white, as viewers show it;
    of an animation the first frame is taken. A TIFF from a map is read as `reading` says.

    Args:
        path: Image file.
        orient: Turn the image as its EXIF orientation says (a TIFF is always turned).
        reading: How it is read.

    Raises:
        InputError: The file is missing, no image, truncated, too large or of an unusable kind, or
            a TIFF whose values `reading` does not explain.
    """
    bands = raster_of(path, reading)
    if bands is not None:
        return Image.fromarray(bands)
    with open_image(path, max_pixels=reading.max_pixels) as image:
        return to_rgb(image, orient=orient)


def read_rgb(
    path: str | PathLike[str], *, orient: bool = True, reading: Reading = PLAIN
) -> npt.NDArray[np.uint8]:
    """(H, W, 3) uint8 as `read_image` reads it."""
    bands = raster_of(path, reading)
    return pixels_of(read_image(path, orient=orient, reading=reading)) if bands is None else bands


def raster_of(path: str | PathLike[str], reading: Reading) -> npt.NDArray[np.uint8] | None:
    """(H, W, 3) uint8 of a TIFF whose bands or range are named; None of what is read without.

    Raises:
        InputError: As `read_bands`; or a TIFF from a map has other values than colours, and
            nothing is named.
    """
    tiff = tiff_of(path) if is_tiff(path) else None
    if tiff is None:
        return None
    if reading.chooses:
        return read_bands(path, reading)
    if tiff.geo and not tiff.has_colours:
        raise refusal(path, tiff)
    return None


@contextmanager
def open_image(
    path: str | PathLike[str], content: bytes | None = None, *, max_pixels: int = PLAIN.max_pixels
) -> Iterator[Image.Image]:
    """Decode an image file as it is; what fails, here or in the block, becomes an `InputError`.

    Args:
        path: Image file.
        content: Its bytes, if they have been read already.
        max_pixels: Width times height of the largest image that is decoded.
    """
    try:
        with open_header(path, content) as image:
            require_pixels(image.size, max_pixels, path)
            decode(image)
            yield image
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path}: image not found") from None
    except UnidentifiedImageError:
        tiff = tiff_of(path) if is_tiff(path) else None
        if tiff is not None and not tiff.has_colours:
            raise refusal(path, tiff) from None
        reason = why_unread(str(path)) or "no known image format"
        raise InputError(f"{path}: image cannot be read ({reason})") from None
    except DECODE_ERRORS as error:
        raise InputError(f"{path}: image cannot be read ({error})") from None


def size_of(path: str | PathLike[str]) -> tuple[int, int]:
    """(W, H) of an image file, turned upright, from its header; raises as `open_header`."""
    tiff = tiff_of(path) if is_tiff(path) else None
    if tiff is not None and not tiff.has_colours:
        return tiff.size
    with open_header(path) as image:
        width, height = image.size
        return (height, width) if orientation(image) in _ON_THEIR_SIDE else (width, height)


def open_header(path: str | PathLike[str], content: bytes | None = None) -> Image.Image:
    """Open an image of any size without decoding it; raises what Pillow raises.

    Args:
        path: Image file; its suffix tells formats that their first bytes do not.
        content: Its bytes, if they have been read already.

    Raises:
        InputError: A pipe or a device is there, which might never end.
    """
    if content is None:
        require_file(path)
    with _pillows_limit_lifted():
        return Image.open(path if content is None else BytesIO(content), formats=formats_for(path))


def require_file(path: str | PathLike[str]) -> int:
    """The size in bytes of a file that is to be read; InputError if something else is there."""
    found = Path(path).stat()
    if not stat.S_ISREG(found.st_mode):
        raise no_file(Path(path))
    return found.st_size


def decode(image: Image.Image) -> None:
    """Load the pixels of an opened image, whatever Pillow's own limit is."""
    limit = Image.MAX_IMAGE_PIXELS
    if limit is None or image.width * image.height <= limit:
        image.load()
    else:
        with _pillows_limit_lifted():  # TIFF asks again
            image.load()


@contextmanager
def _pillows_limit_lifted() -> Iterator[None]:
    """Switch Pillow's limit off, which it only knows as a global; a host program has it back.

    The lock keeps one thread from restoring what another has just lifted.
    """
    with _PILLOWS_LIMIT:
        limit = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 (upright) to 8; 1 where EXIF is missing, damaged or says nonsense."""
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except DECODE_ERRORS:
        return 1
    return value if value in _TURNS else 1


def to_rgb(image: Image.Image, *, orient: bool = True) -> Image.Image:
    """Convert any mode to RGB, turned as `read_image` does.

    Raises:
        ValueError: Floating point, or integers beyond 16 bits.
    """
    rgb = _to_rgb(image)
    turn = _TURNS.get(orientation(image)) if orient else None
    return rgb if turn is None else rgb.transpose(turn)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        raise ValueError("floating-point pixels have no known range; save it with 8 or 16 bits")
    if image.mode.startswith("I"):
        return Image.fromarray((grey_of(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode == "La":  # grey that was multiplied by its alpha; Pillow goes no other way
        image = image.convert("LA")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")  # converting copies


def grey_of(image: Image.Image) -> npt.NDArray[np.integer]:
    """(H, W) values, 0 to 65535, of an integer mode; ValueError for other values."""
    grey = np.asarray(image)
    if grey.min() < 0 or grey.max() > 65535:
        raise ValueError("integers beyond 16 bits have no known range; save it with 8 or 16 bits")
    return grey


def pixels_of(image: Image.Image) -> npt.NDArray[np.uint8]:
    """(H, W, 3) uint8 of an RGB picture, band by band: Pillow makes two copies of what it gives."""
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    for rows in bands(pixels.shape[:2]):
        pixels[rows] = np.asarray(image.crop((0, rows.start, image.width, rows.stop)))
    return pixels
