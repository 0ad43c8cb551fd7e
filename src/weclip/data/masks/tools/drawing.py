"""Regions as tools write them, drawn: polygons, and the runs of CVAT and of Label Studio.

Stage 1. What is not whole is a ValueError; nothing is drawn beyond the image.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Region = NDArray[np.bool_]
Size = tuple[int, int]

FARTHEST = 2**20
"""Pixels; a point farther out belongs to no image."""

MOST_POINTS = 100_000
"""Of one polygon."""


def polygon(points: Sequence[tuple[float, float]], size: Size) -> Region:
    """Pixels whose centre is in a polygon of points (x, y), by the even-odd rule.

    Raises:
        ValueError: A point is not finite or far outside, or there are too many.

    >>> polygon([(0, 0), (2, 0), (2, 1), (0, 1)], (2, 3)).astype(int).tolist()
    [[1, 1, 0], [0, 0, 0]]
    """
    if len(points) > MOST_POINTS:
        raise ValueError(f"a polygon of {len(points)} points")
    corners = np.array(points, np.float64).reshape(-1, 2)
    if not (np.abs(corners) <= FARTHEST).all():  # nor are NaN
        raise ValueError("a polygon with a point far outside of the image")
    height, width = size
    turns = np.zeros((height, width + 1), np.uint8)
    middles = np.arange(height) + 0.5
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        rows = np.flatnonzero((y0 <= middles) != (y1 <= middles))
        crossings = x0 + (middles[rows] - y0) / (y1 - y0) * (x1 - x0) if len(rows) else rows
        columns = np.clip(np.ceil(crossings - 0.5), 0, width).astype(np.int64)
        turns[rows, columns] ^= 1
    inside: Region = np.bitwise_xor.accumulate(turns[:, :width], axis=1).astype(bool)
    return inside


def cvat_runs(text: str, box: tuple[int, int, int, int], size: Size) -> Region:
    """A `<mask>` of CVAT: lengths of runs in a box, row by row, the first of them outside.

    Args:
        text: Lengths with commas.
        box: Left, top, width and height.
        size: Of the image.

    Raises:
        ValueError: The runs do not fill the box, or it is not in the image.

    >>> cvat_runs("1, 2, 1", (1, 0, 2, 2), (2, 3)).astype(int).tolist()
    [[0, 0, 1], [0, 1, 0]]
    """
    left, top, width, height = box
    fits = left >= 0 and top >= 0 and width > 0 and height > 0
    if not fits or left + width > size[1] or top + height > size[0]:
        raise ValueError("a mask that reaches beyond the image")
    runs = _lengths([int(each) for each in text.split(",")], width * height)
    region = np.zeros(size, bool)
    values = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    region[top : top + height, left : left + width] = values.reshape(height, width)
    return region


def brush_runs(code: Sequence[int], size: Size) -> Region:
    """A brush region of Label Studio: RGBA in runs, of which what is not transparent is drawn.

    After the number of values (32 bits) come the bits of a value (5) and of four lengths (4 each),
    all less one; then runs: a bit, which length (2 bits), the length less one, and one value, or
    as many as it says where the bit is 0.

    Raises:
        ValueError: These are no bytes of such a code, or of an image of another size.
    """
    if any(type(each) is not int or not 0 <= each <= 255 for each in code):
        raise ValueError("a brush region that is no list of bytes")
    bits = _Bits(bytes(code))
    count = bits.number(32)
    if count != 4 * size[0] * size[1]:
        raise ValueError(f"a brush region of {count // 4} pixels")
    depth = bits.number(5) + 1
    sizes = [bits.number(4) + 1 for _ in range(4)]
    lengths: list[int] = []
    values: list[int] = []
    done = 0
    while done < count:
        repeats = bits.number(1)
        length = bits.number(sizes[bits.number(2)]) + 1
        new = [bits.number(depth) for _ in range(1 if repeats else length)]
        values += new
        lengths += [length] if repeats else [1] * length
        done += length
    flat = np.repeat(np.array(values) > 0, _lengths(lengths, count))
    return flat.reshape(*size, 4)[:, :, 3]


class _Bits:
    """Bits of bytes, read as numbers from the front."""

    def __init__(self, content: bytes) -> None:
        self.text = "".join(f"{byte:08b}" for byte in content)
        self.place = 0

    def number(self, count: int) -> int:
        """The next bits as a number; ValueError at the end."""
        bits = self.text[self.place : self.place + count]
        if len(bits) < count:
            raise ValueError("a brush region that ends early")
        self.place += count
        return int(bits, 2)


def _lengths(lengths: list[int], pixels: int) -> list[int]:
    """The lengths; ValueError unless they are of so many pixels."""
    if min(lengths, default=0) < 0 or sum(lengths) != pixels:
        raise ValueError(f"runs that do not fill {pixels} pixels")
    return lengths
