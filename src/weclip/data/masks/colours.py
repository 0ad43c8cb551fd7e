"""Colours that stand for classes: the PASCAL VOC colour map, and colours that a user writes.

Stage 1. No loss depends on them; masks, predictions and pictures do.
"""

import re
from typing import Any

import numpy as np
import numpy.typing as npt

from weclip.system.errors import InputError
from weclip.system.untrusted.text import short

RGB = tuple[int, int, int]
"""Red, green and blue, 0 to 255 each."""

BACKGROUND_COLOUR: RGB = (0, 0, 0)
VOID_COLOUR: RGB = (224, 224, 192)
"""The PASCAL colour of 255, the label of ignored pixels."""


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


VOC_COLOURS: npt.NDArray[np.uint8] = np.array(voc_palette(), dtype=np.uint8).reshape(256, 3)
"""(256, 3) PASCAL colours by class id; 0 is black, 255 is off-white."""


def voc_colours(count: int) -> tuple[RGB, ...]:
    """PASCAL colours of the ids 1..count.

    >>> voc_colours(2)
    ((128, 0, 0), (0, 128, 0))
    """
    return tuple((r, g, b) for r, g, b in VOC_COLOURS[1 : count + 1].tolist())


def parse_colour(value: Any, where: str) -> RGB:
    """Read a colour that a user wrote: `[r, g, b]` or `'#RRGGBB'`.

    Raises:
        InputError: It is neither; the message starts with `where`.

    >>> parse_colour("#8000ff", "classes.yaml"), parse_colour([128, 0, 255], "classes.yaml")
    ((128, 0, 255), (128, 0, 255))
    """
    if isinstance(value, str) and re.fullmatch(r"#[0-9A-Fa-f]{6}", value.strip()):
        r, g, b = bytes.fromhex(value.strip()[1:])
        return r, g, b
    if isinstance(value, list | tuple) and len(value) == 3 and all(type(v) is int for v in value):
        r, g, b = value
        if all(0 <= v <= 255 for v in value):
            return r, g, b
    raise InputError(
        f"{where}: {short(value)} is not a colour; write [r, g, b] with 0 to 255 each, "
        "or '#RRGGBB' in quotes"
    )


def colour_text(colour: RGB) -> str:
    """A colour as `#RRGGBB`.

    >>> colour_text((128, 0, 255))
    '#8000FF'
    """
    return "#" + bytes(colour).hex().upper()
