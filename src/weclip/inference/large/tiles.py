"""A large image in tiles, whose logits are put together on the patch grid of the whole.

Stage 6; no PyTorch is needed here. Tiles begin at whole patches, so that each tile's patches are
patches of the whole image. Where tiles overlap, their logits are mixed with weights that fall
towards a tile's border, where its patches see least of what is around them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from weclip.data.images.resizing import resized
from weclip.data.windows import Window, whole
from weclip.system.errors import InputError, RunError
from weclip.system.memory import free_memory

PROBE = 224
"""Pixels of a square whose patch grid tells the patch size: 224 is a multiple of 8, 14, 16, 32."""

LOOK_FROM = 2**20
"""Pixels of an image from which on it is asked whether the memory is enough for it."""

FLOAT = 4
"""Bytes of a number."""


@dataclass(frozen=True)
class Tiling:
    """How a large image is cut.

    Attributes:
        tile: Pixels of a tile's side, rounded down to whole patches.
        overlap: Least share of a side that neighbours have in common, from 0 to under 1.
    """

    tile: int
    overlap: float = 0.25

    def cuts(self, size: tuple[int, int]) -> bool:
        """Whether an image (H, W) is larger than a tile."""
        return max(size) > self.tile


class Large(NamedTuple):
    """An image that goes through the network in tiles; it is resized tile by tile.

    Attributes:
        image: (H, W, 3) uint8, RGB, as it was read.
    """

    image: NDArray[np.uint8]


class Strip(NamedTuple):
    """A tile's place on one side of the patch grid.

    Attributes:
        first: Its first patch.
        weights: Of each of its patches; over all strips, those of a patch sum to 1.
    """

    first: int
    weights: NDArray[np.float32]

    @property
    def patches(self) -> slice:
        """Where it lies."""
        return slice(self.first, self.first + len(self.weights))

    def pixels(self, patch: int) -> slice:
        """The same in pixels."""
        return slice(self.patches.start * patch, self.patches.stop * patch)


def tiled_logits(
    size: tuple[int, int],
    tiling: Tiling,
    patch: int,
    logits_of: Callable[[Window], NDArray[np.float32]],
) -> NDArray[np.float32]:
    """Logits of a large image, tile by tile.

    Args:
        size: (H, W) of the image as the network would see it.
        tiling: How it is cut.
        patch: Pixels of a patch's side.
        logits_of: Logits (C, h, w) of a window of the image, at patch resolution; on another grid
            they are resized.

    Returns:
        (C, H // patch, W // patch) float32.
    """
    across = tiling.tile // patch
    down = strips(size[0] // patch, across, tiling.overlap)
    along = strips(size[1] // patch, across, tiling.overlap)
    total: NDArray[np.float32] | None = None
    for row in down:
        for column in along:
            logits = logits_of((row.pixels(patch), column.pixels(patch)))  # C,h,w
            grid = (len(row.weights), len(column.weights))
            if total is None:
                total = np.zeros((len(logits), size[0] // patch, size[1] // patch), np.float32)
            weights = row.weights[:, None] * column.weights
            total[:, row.patches, column.patches] += resized(logits, grid, whole(grid)) * weights
    if total is None:
        raise ValueError(f"an image of {size} pixels has no patch of {patch}")
    return total


def strips(length: int, tile: int, overlap: float) -> list[Strip]:
    """Cut a side of `length` patches into strips of `tile` patches, evenly spread.

    The weights are ramps: of two strips that share 3 patches, the first has 3/4, 2/4 and 1/4.

    >>> [(strip.first, strip.weights.tolist()) for strip in strips(5, 4, 0.5)]
    [(0, [1.0, 0.75, 0.5, 0.25]), (1, [0.25, 0.5, 0.75, 1.0])]
    """
    if length <= tile:
        return [Strip(0, np.ones(length, np.float32))]
    step = max(1, tile - ceil(overlap * tile))
    count = 1 + ceil((length - tile) / step)
    firsts = [round(i * (length - tile) / (count - 1)) for i in range(count)]
    ramps = np.ones((count, tile))
    place = np.arange(1, tile + 1)
    for i in range(1, count):
        shared = firsts[i - 1] + tile - firsts[i]
        ramps[i] = np.minimum(ramps[i], place / (shared + 1))
        ramps[i - 1] = np.minimum(ramps[i - 1], place[::-1] / (shared + 1))
    total = np.zeros(length)
    for first, ramp in zip(firsts, ramps, strict=True):
        total[first : first + tile] += ramp
    return [
        Strip(first, (ramp / total[first : first + tile]).astype(np.float32))
        for first, ramp in zip(firsts, ramps, strict=True)
    ]


def patch_of(grid: tuple[int, ...]) -> int:
    """Pixels of a patch's side, from the grid (..., h, w) of a square of `PROBE` pixels.

    Raises:
        InputError: They are no whole number.
    """
    patch, rest = divmod(PROBE, grid[-1])
    if rest:
        raise InputError(
            f"eval.tile: patches of this network are no whole pixels ({PROBE} pixels are "
            f"{grid[-1]} of them); leave eval.tile out"
        )
    return patch


def require_memory_for_all(
    size: tuple[int, int],
    patch: int,
    images: int,
    scale: float,
    bytes_of_patch: float | None = None,
) -> None:
    """Say so before the work where an image is too large for a network to see as a whole.

    Args:
        size: (H, W) of the image as the network would see it.
        patch: Pixels of a patch's side.
        images: How many go through the network together, such as the mirrored one.
        scale: The largest of the scales that it is seen at.
        bytes_of_patch: What a patch takes; None: not known, and there are as many numbers as pairs
            of patches, since every patch looks at all others.

    Raises:
        RunError: It takes more memory than there is.
    """
    patches = int(size[0] * scale / patch) * int(size[1] * scale / patch)
    of_patch = FLOAT * patches if bytes_of_patch is None else bytes_of_patch
    needed, free = images * patches * of_patch, free_memory()
    if free is not None and needed > free:
        raise RunError(
            f"out of memory: {size[1]} x {size[0]} pixels are {patches} patches, which take up to "
            f"{needed / 1e9:.1f} GB together, and {free / 1e9:.1f} GB are free; take eval.tile=512 "
            "(docs/large-images.md), or a smaller eval.long_side"
        )
