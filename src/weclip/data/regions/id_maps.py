"""Id maps on disk: single-channel PNGs whose values are the numbers of regions, 0 for none.

Stage 1. 8 and 16 bits are read; 16 are written. A PNG whose values could mean something else is
refused: colours, palettes (often masks of classes), and masks of classes that we wrote ourselves.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin, UnidentifiedImageError

from weclip.data.images.decoding import DECODE_ERRORS, decode, open_header
from weclip.data.images.reading import MAX_PIXELS, require_pixels
from weclip.system.errors import InputError
from weclip.system.files import write_atomically
from weclip.system.untrusted.text import one_line

IdMap = NDArray[np.int32]

MOST_REGIONS = 2**16 - 1
"""Of one image: what 16 bits can count, beside 0."""

_NOTE, _MASK_NOTE = "weclip-regions", "weclip"
_GREY = ("L", "I;16", "I")
_SAVE = "save it as a PNG with one channel of 8 or 16 bits, whose values are numbers of regions"


def read_id_map(path: Path, *, max_pixels: int = MAX_PIXELS) -> IdMap:
    """(H, W) int32 numbers of regions.

    Raises:
        InputError: It is missing, broken, too large, or no id map.
    """
    try:
        with open_header(path) as image:
            _require_ids(image, path)
            require_pixels(image.size, max_pixels, path)
            decode(image)
            return np.asarray(image).astype(np.int32)
    except FileNotFoundError:
        raise InputError(f"{path}: id map not found") from None
    except UnidentifiedImageError:
        raise InputError(f"{path}: id map is not a PNG file") from None
    except InputError:
        raise
    except DECODE_ERRORS as error:
        raise InputError(f"{path}: id map is broken ({one_line(error)})") from None


def _require_ids(image: Image.Image, path: Path) -> None:
    """InputError unless an opened file is a PNG of one channel that can hold numbers."""
    if image.format != "PNG":
        raise InputError(f"{path}: an id map is a PNG, and this is {image.format}; {_SAVE}")
    if image.mode == "P":
        raise InputError(
            f"{path}: a PNG with a palette, as masks of classes are, is no id map: two things of "
            f"one class would be one region; if its values are regions, {_SAVE}"
        )
    if image.mode not in _GREY:
        raise InputError(f"{path}: colours (mode {image.mode}) are no numbers of regions; {_SAVE}")
    if _MASK_NOTE in image.info:
        raise InputError(
            f"{path}: a mask of classes that weclip wrote, no id map; weclip regions makes id maps"
        )


def save_id_map(id_map: IdMap, path: Path, note: str) -> None:
    """Write an id map with 16 bits; the file appears whole or not at all.

    Args:
        id_map: (H, W), each number from 0 to `MOST_REGIONS`.
        path: The PNG; its folder is made if needed.
        note: ASCII text kept in it, for `read_region_note`.
    """
    picture = Image.fromarray(id_map.astype(np.uint16))
    info = PngImagePlugin.PngInfo()
    info.add_text(_NOTE, note)
    write_atomically(path, lambda temporary: picture.save(temporary, format="PNG", pnginfo=info))


def read_region_note(path: Path) -> str | None:
    """The note of an id map of `save_id_map`, without decoding it; None if there is no such map."""
    try:
        with open_header(path) as image:
            note = image.info.get(_NOTE)
    except DECODE_ERRORS:
        return None
    return note if isinstance(note, str) else None


def numbered(id_map: IdMap) -> IdMap:
    """The same regions with numbers that 16 bits hold: as they are, or 1, 2, ... in their order.

    Raises:
        InputError: There are over `MOST_REGIONS`.

    >>> numbered(np.array([[0, 70000], [9, 9]], np.int32)).tolist()
    [[0, 2], [1, 1]]
    """
    if id_map.size == 0 or (id_map.min() >= 0 and id_map.max() <= MOST_REGIONS):
        return id_map
    found, place = np.unique(id_map, return_inverse=True)
    numbers = np.cumsum(found != 0)
    numbers[found == 0] = 0
    if numbers.max() > MOST_REGIONS:
        raise InputError(
            f"{numbers.max()} regions in one image, more than {MOST_REGIONS}; take larger ones"
        )
    return numbers[place].reshape(id_map.shape).astype(np.int32)
