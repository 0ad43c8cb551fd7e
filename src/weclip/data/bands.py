"""Bands of rows, in which images and masks of any size are copied, counted and looked up.

Stage 1, read by all. Much of NumPy works in 64 bits, eight times what an id takes, and Pillow
copies what it gives; of some rows at a time that is little.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.uint8]

BAND = 2**20
"""Pixels of a band."""


def bands(size: tuple[int, ...], most: int = BAND) -> Iterator[slice]:
    """Cut an image (H, W) into bands of rows, of about `most` pixels each.

    >>> [(rows.start, rows.stop) for rows in bands((5, 4), most=8)]
    [(0, 2), (2, 4), (4, 5)]
    """
    height, width = size
    rows = max(1, most // max(1, width))
    for top in range(0, height, rows):
        yield slice(top, min(top + rows, height))


def count_ids(ids: Ids, where: npt.NDArray[np.bool_] | None = None) -> npt.NDArray[np.int64]:
    """Pixels of each id.

    Args:
        ids: (H, W) uint8.
        where: (H, W) of the pixels that count; None: all do.

    Returns:
        (256,) int64.
    """
    counts = np.zeros(256, np.int64)
    for rows in bands(ids.shape):
        counted = ids[rows].ravel() if where is None else ids[rows][where[rows]]
        counts += np.bincount(counted, minlength=256)
    return counts


def ids_in(ids: Ids) -> list[int]:
    """The ids that there are in (H, W) uint8, ascending."""
    found: list[int] = np.flatnonzero(count_ids(ids)).tolist()
    return found
