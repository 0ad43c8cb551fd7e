"""Reading image files of any common kind as RGB.

Stage 1, and the input of prediction.
"""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from os import PathLike

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from weclip.errors import InputError

DECODE_ERRORS = (
    *(OSError, SyntaxError, ValueError, EOFError, struct.error),
    *(AttributeError, TypeError),  # EXIF that is written back when an image is turned
)
"""What Pillow raises for broken files."""


def read_image(path: str | PathLike[str], *, orient: bool = True) -> Image.Image:
    """Read an image file as RGB.

    16-bit greyscale keeps its upper 8 bits; transparency is laid over white, as viewers show it;
    of an animation the first frame is taken.

    Args:
        path: Image file.
        orient: Turn the image as its EXIF orientation says.

    Raises:
        InputError: The file is missing, no image, truncated or of an unusable kind.
    """
    with open_image(path) as image:
        return to_rgb(image, orient=orient)


@contextmanager
def open_image(path: str | PathLike[str], content: bytes | None = None) -> Iterator[Image.Image]:
    """Decode an image file as it is; what fails, here or in the block, becomes an `InputError`.

    Args:
        path: Image file.
        content: Its bytes, if they have been read already.
    """
    try:
        with Image.open(path if content is None else BytesIO(content)) as image:
            image.load()
            yield image
    except FileNotFoundError:
        raise InputError(f"{path}: image not found") from None
    except UnidentifiedImageError:
        raise InputError(f"{path}: image cannot be read (no known image format)") from None
    except DECODE_ERRORS as error:
        raise InputError(f"{path}: image cannot be read ({error})") from None
    except Image.DecompressionBombError as error:
        raise InputError(f"{path}: image is too large ({error})") from None


def to_rgb(image: Image.Image, *, orient: bool = True) -> Image.Image:
    """Convert any 8-bit or 16-bit mode to RGB, turned as `read_image` does."""
    if orient:
        image = ImageOps.exif_transpose(image)
    if image.mode == "F":
        raise ValueError("floating-point pixels have no known range; save it with 8 or 16 bits")
    if image.mode.startswith("I"):
        grey = np.asarray(image).clip(0, 65535)
        return Image.fromarray((grey >> 8).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")
