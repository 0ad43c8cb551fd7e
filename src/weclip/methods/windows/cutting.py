"""An image resized, cut into windows that overlap, and each window padded.

Stage 4. Zhang, Liu, Tang, "CorrCLIP", ICCV 2025, as in its released code.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from weclip.data.windows import Window
from weclip.labels.region_attention.ids import free_id
from weclip.labels.resizing import planes


@dataclass(frozen=True, kw_only=True)
class WindowSettings:
    """How an image is cut.

    Attributes:
        short_side: Pixels of the shorter side when it is cut; None: its own size.
        long_side: Pixels of the longer side at most; None: any.
        side: Pixels of a window's sides.
        stride: Pixels from window to window.
        multiple: A window's sides are padded to a multiple of it.
        ragged: Of it alone, as released: a window may end in half a patch, which CLIP does not see,
            while all is resized as if it did. Else of CLIP's patch too.
    """

    short_side: int | None
    long_side: int | None
    side: int
    stride: int
    multiple: int
    ragged: bool

    def padded_to(self, patch_size: int) -> int:
        """What a window's sides are a multiple of, for a CLIP of this patch size."""
        return self.multiple if self.ragged else math.lcm(self.multiple, patch_size)

    def seen_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Height and width that an image (H, W) is cut at."""
        wanted = 1.0 if self.short_side is None else self.short_side / min(size)
        factor = wanted if self.long_side is None else min(self.long_side / max(size), wanted)
        height, width = (max(1, int(side * factor + 0.5)) for side in size)
        return height, width


@dataclass(frozen=True)
class Cut:
    """A window of an image, padded.

    Attributes:
        rgb: (1, 3, H', W') float32 in 0..255; the padding has CLIP's mean colour.
        ids: (H', W') int64; the padding is a region of its own.
        window: Rows and columns of the image.
        padding: Pixels left, right, top and bottom.
        image_size: (H, W) of the image that it is a window of.
    """

    rgb: Tensor
    ids: Tensor
    window: Window
    padding: tuple[int, int, int, int]
    image_size: tuple[int, int]

    @property
    def size(self) -> tuple[int, int]:
        """(H', W'), with padding."""
        return self.rgb.shape[2], self.rgb.shape[3]

    @property
    def inner(self) -> Window:
        """Rows and columns without padding."""
        left, right, top, bottom = self.padding
        height, width = self.size
        return slice(top, height - bottom), slice(left, width - right)


def resized_levels(image: NDArray[np.uint8], size: tuple[int, int]) -> Tensor:
    """An image (H, W, 3) resized, bilinear without antialiasing, rounded to whole levels.

    OpenCV, which the released code takes, reckons in whole numbers and may differ by a level.

    Returns:
        (3, H', W') float32 in 0..255.
    """
    levels = planes(image).float()
    if tuple(levels.shape[1:]) == size:
        return levels
    return F.interpolate(levels[None], size, mode="bilinear", align_corners=False)[0].round()


def sliding_windows(size: tuple[int, int], side: int, stride: int) -> Iterator[Window]:
    """Windows that cover an image (H, W), row by row; the last ones are pushed back inside.

    >>> [(y.start, x.start, x.stop) for y, x in sliding_windows((5, 9), 6, 2)]
    [(0, 0, 6), (0, 2, 8), (0, 3, 9)]
    """
    rows, columns = (list(_parts(length, side, stride)) for length in size)
    for row in rows:
        for column in columns:
            yield row, column


def _parts(length: int, side: int, stride: int) -> Iterator[slice]:
    for index in range(max(length - side + stride - 1, 0) // stride + 1):
        end = min(stride * index + side, length)
        yield slice(max(end - side, 0), end)


def cut(rgb: Tensor, ids: Tensor, window: Window, multiple: int, colour: Tensor) -> Cut:
    """A window of an image, padded to a multiple.

    Args:
        rgb: (3, H, W) float32 in 0..255.
        ids: (H, W) int64.
        window: Rows and columns.
        multiple: Pixels; half of what is missing is added on the left and on top, the rest on the
            right and at the bottom.
        colour: (3, 1, 1) of the padding.
    """
    part, numbers = rgb[:, window[0], window[1]], ids[window[0], window[1]]
    height, width = numbers.shape
    below, beside = -height % multiple, -width % multiple
    padding = (beside // 2, beside - beside // 2, below // 2, below - below // 2)
    padded = colour.repeat(1, 1, height + below, width + beside)  # (1, 3, H', W')
    left, _, top, _ = padding
    padded[0, :, top : top + height, left : left + width] = part
    return Cut(
        padded,
        F.pad(numbers, padding, value=free_id(numbers)),
        window,
        padding,
        (rgb.shape[1], rgb.shape[2]),
    )
