"""Masks on disk: index PNGs of class ids, and the PASCAL colours they are shown in.

Stage 1 for evaluation, and the file format of predictions. Training never imports this module.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from weclip.data.batch import IGNORE_INDEX
from weclip.data.images import DECODE_ERRORS, MAX_PIXELS, decode, open_header, require_pixels
from weclip.errors import InputError
from weclip.files import write_atomically


def voc_palette() -> list[int]:
    """Return the PASCAL VOC colour map: 768 ints, red, green, blue of ids 0..255.

    Bit 3j+c of an id becomes bit 7-j of colour channel c (VOC development kit).

    >>> voc_palette()[:9]
    [0, 0, 0, 128, 0, 0, 0, 128, 0]
    """
    palette = []
    for class_id in range(256):
        for channel in range(3):
            bits = (class_id >> (3 * j + channel) & 1 for j in range(8))
            palette.append(sum(bit << (7 - j) for j, bit in enumerate(bits)))
    return palette


def read_mask(
    path: str | Path, *, num_classes: int | None = None, max_pixels: int = MAX_PIXELS
) -> npt.NDArray[np.uint8]:
    """Read an index PNG.

    Args:
        path: A palette or greyscale PNG of class ids; 255 is ignored.
        num_classes: C; every id must be below it or 255. None: ids are not checked.
        max_pixels: Width times height of the largest mask that is decoded.

    Returns:
        (H, W) uint8 class ids.

    Raises:
        InputError: The file is missing, broken or too large, holds colours instead of ids, or ids
            that the class list does not have.
    """
    try:
        with open_header(path) as image:
            if image.format != "PNG" or image.mode not in ("P", "L"):
                raise InputError(
                    f"{path}: a mask must be a palette or 8-bit greyscale PNG of class ids; this "
                    f"is {image.format} with mode {image.mode}; save the ids, not their colours"
                )
            require_pixels(image.size, max_pixels, path)
            decode(image)
            mask = np.array(image, dtype=np.uint8)  # (H, W)
    except FileNotFoundError:
        raise InputError(f"{path}: mask not found") from None
    except UnidentifiedImageError:
        raise InputError(f"{path}: mask is not a PNG file") from None
    except InputError:
        raise
    except DECODE_ERRORS as error:
        raise InputError(f"{path}: mask is broken ({error})") from None
    if num_classes is not None:
        require_known_ids(mask, num_classes, path)
    return mask


def require_known_ids(mask: npt.NDArray[np.uint8], num_classes: int, path: str | Path) -> None:
    """Raise InputError if the mask read from `path` has an id from `num_classes` on, but 255."""
    ids = np.flatnonzero(np.bincount(mask.ravel(), minlength=256))
    unknown = [int(i) for i in ids if num_classes <= i != IGNORE_INDEX]
    if unknown:
        raise InputError(
            f"{path}: mask has class ids {unknown}; allowed are 0 to {num_classes - 1} and "
            f"{IGNORE_INDEX} (ignore); is this the right class list?"
        )


def save_mask(mask: npt.NDArray[np.uint8], path: str | Path) -> None:
    """Write (H, W) uint8 class ids as a PASCAL palette PNG; the file appears whole or not at all.

    Missing parent folders are made.

    Raises:
        ValueError: `mask` is not a two-dimensional uint8 array.
    """
    if mask.ndim != 2 or mask.dtype != np.uint8:
        raise ValueError(f"mask must be (H, W) uint8, not {mask.shape} {mask.dtype}")
    image = Image.fromarray(mask)
    image.putpalette(voc_palette())
    write_atomically(Path(path), lambda temporary: image.save(temporary, format="PNG"))
