"""EXIF orientation: how stored pixels are turned upright, and back.

Stage 1.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation -> what turns the image upright (EXIF 2.32, tag 0x0112)."""

_BACK = {**{orientation: orientation for orientation in TURNS}, 6: 8, 8: 6}
"""Orientation -> the one whose turn undoes it."""

ON_THEIR_SIDE = (5, 6, 7, 8)


def upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Stored pixels (H, W) or (H, W, 3) uint8 as they are seen."""
    if orientation not in TURNS:
        return pixels
    return np.array(Image.fromarray(pixels).transpose(TURNS[orientation]))


def as_stored(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Upright pixels (H, W) or (H, W, 3) uint8 as the file holds them.

    >>> as_stored(upright(np.array([[1, 2, 3]], np.uint8), 6), 6).tolist()
    [[1, 2, 3]]
    """
    return upright(pixels, _BACK.get(orientation, 1))
