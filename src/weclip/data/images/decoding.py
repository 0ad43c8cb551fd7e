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
from PIL import ExifTags, Image, TiffImagePlugin, UnidentifiedImageError

from weclip.data.bands import bands
from weclip.data.images.image_kinds import formats_for, why_unread
from weclip.data.images.rasters.bands import read_bands, refusal, to_bytes
from weclip.data.images.rasters.tiff import is_tiff, tiff_of
from weclip.data.images.rasters.turns import ON_THEIR_SIDE, TURNS
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

_PILLOWS_LIMIT = Lock()


def read_image(
    path: str | PathLike[str], *, orient: bool = True, reading: Reading = PLAIN
) -> Image.Image:
    """Read an image file as RGB.

    16-bit greyscale keeps its upper 8 bits; transparency is laid over white, as viewers show it;
    of an animation the first frame is taken. Where `reading` names bands or a range, only images
    of which they can be are read: TIFFs, and 16-bit grey.

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
    """(H, W, 3) uint8 of an image whose bands or range are named; None of what is read without.

    Raises:
        InputError: As `read_bands`; or what is named means nothing for this image; or a TIFF from a
            map has other values than colours, and nothing is named.
    """
    tiff = tiff_of(path) if is_tiff(path) else None
    if reading.chooses:
        if tiff is not None:
            return read_bands(path, tiff, reading)
        with open_image(path, max_pixels=reading.max_pixels) as image:
            return grey_in_range(image, reading, path)
    if tiff is not None and tiff.geo and not tiff.has_colours:
        raise refusal(path, tiff)
    return None


def grey_in_range(
    image: Image.Image, reading: Reading, path: str | PathLike[str], *, orient: bool = True
) -> npt.NDArray[np.uint8]:
    """(H, W, 3) uint8 of a 16-bit grey image whose values `reading` explains.

    Args:
        image: Of any mode.
        reading: How it is read.
        path: What messages call it.
        orient: Turn it as its EXIF orientation says.

    Raises:
        InputError: It is another image, or no range is named.
    """
    if not image.mode.startswith("I"):
        raise InputError(
            f"{path}: data.bands and data.range are of TIFFs and 16-bit grey, which this is not; "
            "save it as TIFF, or add data.bands=null data.range=null"
        )
    if reading.range is None or set(reading.bands or (1,)) != {1}:
        raise InputError(
            f"{path}: has 1 band of 16 bits; name the values that become black and white with "
            "data.range=[low,high], and leave out data.bands"
        )
    grey = Image.fromarray(to_bytes(np.asarray(image), *reading.range))
    turn = TURNS.get(orientation(image)) if orient else None
    return pixels_of((grey if turn is None else grey.transpose(turn)).convert("RGB"))


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
    if tiff is not None:
        return tiff.size
    with open_header(path) as image:
        width, height = image.size
        turned = orientation(image) in ON_THEIR_SIDE and image.format != "TIFF"  # Pillow's is
        return (height, width) if turned else (width, height)


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
    if isinstance(image, TiffImagePlugin.TiffImageFile) and orientation(image) in ON_THEIR_SIDE:
        image.filename = ""  # else Pillow 13 maps an uncompressed file with its sides swapped
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
    return value if value in TURNS else 1


def to_rgb(image: Image.Image, *, orient: bool = True) -> Image.Image:
    """Convert any mode to RGB, turned as `read_image` does.

    Raises:
        ValueError: Floating point, or integers beyond 16 bits.
    """
    rgb = _to_rgb(image)
    turn = TURNS.get(orientation(image)) if orient else None
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
