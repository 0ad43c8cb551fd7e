"""What regions of an image are: masks that may overlap, or a number for each pixel.

Stage 3. A region has no class.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from weclip.backbones.guide import Guide

IN_NONE = 0
"""The number of pixels that no region has."""

GuideOf = Callable[[NDArray[np.uint8]], Guide]
"""(H, W, 3) uint8, RGB -> features of a second encoder, a batch of one."""


@dataclass(frozen=True)
class Proposals:
    """Masks of regions that may overlap.

    Attributes:
        masks: (P, H, W) bool.
        scores: (P,) float32, how sure the source is of each.
    """

    masks: NDArray[np.bool_]
    scores: NDArray[np.float32]


@dataclass(frozen=True)
class Regions:
    """The regions of one image.

    Attributes:
        id_map: (H, W) int32, the number of each pixel's region; `IN_NONE`: no region.
        proposals: The overlapping masks that it was painted of; None: the regions are disjoint.
    """

    id_map: NDArray[np.int32]
    proposals: Proposals | None = None


class RegionSource(Protocol):
    """What cuts an image into regions."""

    reads: ClassVar[Any]
    """`("guide",)` if it reads a second encoder, else `()`."""

    saw_human_masks: ClassVar[bool]
    """Whether it learnt from masks that people drew; every record says so."""

    def __call__(self, image: NDArray[np.uint8], guide: GuideOf | None) -> Regions:
        """Regions of an image (H, W, 3) uint8, RGB."""


@runtime_checkable
class Opens(Protocol):
    """A region source that needs packages or weights, and can say so before the long work."""

    def open(self) -> str | None:
        """Get them, and return the SHA-256 of the weights; None where there are none."""


PLACES = ("weights",)
"""Settings that say where something lies, which records leave out."""


def described(name: str, source: RegionSource, sha256: str | None = None) -> dict[str, Any]:
    """What a record says of a region source.

    Args:
        name: The part's name.
        source: The part.
        sha256: Of its weights, as `Opens.open` returns it.
    """
    settings = {each.name: getattr(source, each.name) for each in fields(source)}  # type: ignore[arg-type]
    return {
        "source": name,
        "settings": {key: value for key, value in settings.items() if key not in PLACES},
        "saw_human_masks": source.saw_human_masks,
        "sha256": sha256,
    }
