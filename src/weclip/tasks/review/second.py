"""Masks by a second method: where they differ, a correction counts most (docs/review.md)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from weclip.data.masks.mask_files import read_mask
from weclip.review.reviewed import Item
from weclip.system.console import QUIET
from weclip.system.errors import InputError
from weclip.training.runlog import tracked


def differences(items: Sequence[Item], second: Path, console: Console = QUIET) -> dict[str, float]:
    """Name of an image -> share of its pixels in which two masks differ, of those with both.

    Args:
        items: The images with the masks that are reviewed.
        second: Output folder of `weclip label` or `weclip predict` with other masks of them.
        console: Where progress is shown.

    Raises:
        InputError: There is no mask of these images, or one of another size.
    """
    pairs = []
    for item in items:
        other = second / "masks" / f"{item.image.name}.png"
        if item.mask is not None and item.mask.is_file() and other.is_file():
            pairs.append((item.image.name, item.mask, other))
    if not pairs:
        raise InputError(
            f"--second {second}: no mask of these images beside one that is reviewed; give another "
            "output folder of weclip label or weclip predict of the same images"
        )
    shown = tracked(pairs, "comparing", len(pairs), console)
    return {name: _difference(one, other) for name, one, other in shown}


def _difference(one: Path, other: Path) -> float:
    first, second = read_mask(one), read_mask(other)
    if first.shape != second.shape:
        raise InputError(f"--second: {other} is {second.shape}, but {one} is {first.shape}")
    return float(np.mean(first != second))
