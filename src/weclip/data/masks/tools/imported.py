"""A mask that another tool wrote, before it is known which image it is of.

Stage 1, for `weclip import-masks`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from weclip.data.batch import IGNORE_INDEX
from weclip.data.classes import ClassList
from weclip.system.errors import InputError, did_you_mean
from weclip.system.untrusted.text import short

Ids = NDArray[np.uint8]
Size = tuple[int, int]
"""Height and width."""

BACKGROUND = "background"
UNSURE = "unsure"
"""What `weclip label --export` calls pixels of 255; with `_` at its end if a class has the name."""


@dataclass(frozen=True)
class ImportedMask:
    """A mask of another tool.

    Attributes:
        where: The file and the place in it, for messages.
        files: Which files its image may be, the likeliest first; with `/`.
        draw: Makes the mask (H, W) of an image of this size, or raises InputError.
    """

    where: str
    files: tuple[str, ...]
    draw: Callable[[Size], Ids]


def id_of_label(label: str, classes: ClassList, where: str) -> int:
    """The class id of a label; 0 for the background, 255 for what is unsure.

    Raises:
        InputError: It is no class.
    """
    if label in classes.names:
        return classes.index(label) + 1
    if label == BACKGROUND:
        return 0
    if label.rstrip("_") == UNSURE:
        return IGNORE_INDEX
    hint = did_you_mean(label[:99], classes.names) or f"known: {', '.join(classes.names)}."
    raise InputError(
        f"{where}: the label {short(label)} is no class of the data. {hint} Rename it in the "
        "tool, or give a class list that has it (data.classes=FILE)"
    )


def require_same_size(given: Size, size: Size, where: str) -> None:
    """InputError if a tool saw the image at another size (H, W) than it has."""
    if given != size:
        raise InputError(
            f"{where}: drawn on an image of {given[1]} x {given[0]} pixels, but it is "
            f"{size[1]} x {size[0]}; the image has changed since, or is another one"
        )
