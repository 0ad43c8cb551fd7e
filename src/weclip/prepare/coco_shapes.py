"""Shapes of COCO, checked before pycocotools sees them: it trusts them, in C.

What COCO's own tools draw is drawn: polygons are cut at the image's border, an odd last number is
left out, and a polygon of fewer than 3 points has no pixel. What they would read beyond memory for,
or draw as memory happens to be, is refused: run lengths that are no pixels of the image, numbers
that are none or far outside of any image, outlines that are endless.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

FARTHEST = 2**20
"""Pixels; what lies farther out belongs to no image."""

LONGEST_OUTLINE = 2**22
"""Pixels of one polygon, 64 times round the largest image; pycocotools takes 40 bytes for each."""

LONGEST_OUTLINES = 2**24
"""Of all polygons of an instance, which take a second."""

MOST_POLYGONS = 10_000
"""Of an instance; pycocotools merges them one after the other."""

MOST_PIXELS = 2**28

FARTHEST_AREA = 2.0**53


def require_area(annotation: dict[str, Any]) -> float:
    """The area of an instance, which decides what lies on top; ValueError if it has no order."""
    area = annotation["area"]
    if type(area) not in (int, float) or not -FARTHEST_AREA <= area <= FARTHEST_AREA:
        raise ValueError(f"an instance of area {_short(area)}")
    return float(area)


def require_size(size: tuple[Any, Any]) -> tuple[int, int]:
    """Height and width of an image; ValueError for what no image has."""
    height, width = size
    whole = all(type(side) is int and side > 0 for side in size)
    if not whole or height * width > MOST_PIXELS:
        raise ValueError(f"an image of height {_short(height)} and width {_short(width)}")
    return height, width


def polygons_of(segmentation: Sequence[Any]) -> list[list[float]]:
    """The polygons [x, y, x, y, ...] that can hold a pixel.

    Raises:
        ValueError: One has a value that is no number, not finite or far outside, or is endless.
    """
    if len(segmentation) > MOST_POLYGONS:
        raise ValueError(f"{len(segmentation)} polygons in one instance")
    polygons = []
    for given in segmentation:
        if not isinstance(given, list):
            raise ValueError(f"a polygon that is {_short(given)}, not a list of numbers")
        if wrong := [each for each in given if type(each) not in (int, float)]:
            raise ValueError(f"a polygon with {_short(wrong[0])} for a number")
        if far := [each for each in given if not -FARTHEST <= each <= FARTHEST]:
            raise ValueError(f"a polygon with the coordinate {_short(far[0])}")
        if len(given) >= 6:  # fewer than 3 points hold no pixel
            polygons.append([float(each) for each in given])
    outlines = [outline(polygon) for polygon in polygons]
    if max(outlines, default=0) > LONGEST_OUTLINE or sum(outlines) > LONGEST_OUTLINES:
        raise ValueError("polygons with an endless outline")
    return polygons


def outline(polygon: Sequence[float]) -> float:
    """Pixels round a closed polygon [x, y, x, y, ...], the longer way of each edge.

    >>> outline([0, 0, 4, 0, 4, 3])
    11.0
    """
    points = np.array(polygon[: len(polygon) // 2 * 2], np.float64).reshape(-1, 2)
    edges: NDArray[np.float64] = np.abs(points - np.roll(points, 1, axis=0)).max(axis=1)
    return float(edges.sum())


def _short(value: object) -> str:
    """A value for a message, at most 40 characters."""
    if isinstance(value, int) and abs(value) > 2**64:
        return "a huge number"
    text = ascii(value) if not isinstance(value, list | dict) or len(value) < 9 else "a long list"
    return text if len(text) <= 40 else f"{text[:40]}..."
