"""COCO's run lengths: masks as numbers of pixels that are outside and inside in turn, by columns.

Stage 1. `counts` is a list of numbers, or COCO's text of them; `size` is [height, width].
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weclip.system.untrusted.text import short

Size = tuple[int, int]
"""(H, W)."""


def drawn(segmentation: Mapping[str, Any], size: Size) -> NDArray[np.bool_]:
    """The mask (H, W) of `{"size": [H, W], "counts": ...}`.

    Raises:
        ValueError: As `require_runs`; nothing larger than the image is made.
    """
    counts = require_runs(segmentation, size)
    inside = np.arange(len(counts)) % 2 == 1
    height, width = size
    return np.repeat(inside, counts).reshape(width, height).T


def runs_of(mask: NDArray[np.bool_]) -> dict[str, Any]:
    """What `drawn` reads, of a mask (H, W); equal to what pycocotools writes."""
    flat = mask.T.ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    edges = np.concatenate(([0], changes, [flat.size]))
    counts = np.diff(edges).tolist()
    if flat.size and flat[0]:
        counts = [0, *counts]
    return {"size": list(mask.shape), "counts": compressed(counts)}


def require_runs(segmentation: Mapping[str, Any], size: Size) -> list[int]:
    """The run lengths of an image (H, W), compressed or not.

    Raises:
        ValueError: They are none of this size. Counts that do not fill the image leave what is
            drawn undefined.
    """
    given = segmentation.get("size")
    if not isinstance(given, list) or given != list(size) or any(type(n) is not int for n in given):
        raise ValueError(f"run lengths of an image of size {_said(given)}")
    counts = segmentation.get("counts")
    if isinstance(counts, bytes):
        counts = counts.decode("ascii", "replace")
    if isinstance(counts, str):
        counts = decompressed(counts)
    if not isinstance(counts, list) or any(type(each) is not int or each < 0 for each in counts):
        raise ValueError("run lengths that are not whole numbers from 0 on")
    if sum(counts) != size[0] * size[1]:
        raise ValueError(f"run lengths of {_said(sum(counts))} pixels for {size[0] * size[1]}")
    return counts


def decompressed(text: str) -> list[int]:
    """Run lengths of COCO's text: differences to the last but one, five bits a letter.

    Raises:
        ValueError: It has another letter, or ends within a number.

    >>> decompressed("52203")
    [5, 2, 2, 2, 5]
    """
    counts: list[int] = []
    value = shift = 0
    for letter in text:
        bits = ord(letter) - 48
        if not 0 <= bits < 64 or shift > 30:
            raise ValueError(f"run lengths with the letter {_said(letter)}")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError("run lengths that end within a number")
    return counts


def compressed(counts: Sequence[int]) -> str:
    """COCO's text of run lengths, which `decompressed` reads.

    >>> compressed([5, 2, 2, 2, 5])
    '52203'
    """
    letters = []
    for index, count in enumerate(counts):
        value = count - counts[index - 2] if index > 2 else count
        while True:
            bits = value & 31
            value >>= 5
            ended = value == (-1 if bits & 16 else 0)
            letters.append(chr(48 + (bits if ended else bits | 32)))
            if ended:
                break
    return "".join(letters)


def _said(value: object) -> str:
    """A value for a message, at most 40 characters."""
    return "a huge number" if isinstance(value, int) and abs(value) > 2**64 else short(value, 40)
