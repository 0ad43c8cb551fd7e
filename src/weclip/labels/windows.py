"""Full-size results in windows: what is large is never held for all classes at once.

Stage 3, read by stage 6 too. Maps at patch resolution are small; resized to the image they are as
large as its pixels times their number. So the image is cut into windows of so many numbers, and of
each window only that part is computed.
"""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Window = tuple[slice, slice]
"""Rows and columns of an image."""

NUMBERS = 2**23
"""Numbers of a window, 32 MiB in float32: little beside a large image, and few for a usual one."""

FEW = 4
"""How many times fewer rows than wanted ones make a matrix product the fastest way on a CPU."""

SMALLEST_SIDE = 16
"""Pixels; a window of many classes is not cut finer."""


def windows(size: tuple[int, int], depth: int, most: int = NUMBERS) -> Iterator[Window]:
    """Cut an image into windows of about `most` numbers: bands of rows, and wide bands into blocks.

    Args:
        size: (H, W).
        depth: Numbers of a pixel, such as one for each class.
        most: Numbers of a window.

    >>> [(rows.start, rows.stop, columns.stop) for rows, columns in windows((5, 4), 2, most=16)]
    [(0, 2, 4), (2, 4, 4), (4, 5, 4)]
    """
    height, width = size
    pixels = max(1, most // max(1, depth))
    columns = min(width, max(pixels // SMALLEST_SIDE, SMALLEST_SIDE))
    columns = width if pixels >= width else columns
    rows = max(1, pixels // columns)
    for y in range(0, height, rows):
        for x in range(0, width, columns):
            yield slice(y, min(y + rows, height)), slice(x, min(x + columns, width))


def planes(image: NDArray[np.uint8]) -> Tensor:
    """(3, H, W) view of an image (H, W, 3) uint8; a copy only where it may not be written to."""
    return torch.from_numpy(image if image.flags.writeable else image.copy()).permute(2, 0, 1)


def whole(size: tuple[int, int]) -> Window:
    """The window that is all of an image (H, W)."""
    return slice(0, size[0]), slice(0, size[1])


def widened(window: Window, by: int, size: tuple[int, int]) -> tuple[Window, Window]:
    """A window with `by` more pixels on each side, cut at the image's border (H, W).

    Returns:
        The wide window, and where in it the given one lies.
    """
    wide = tuple(
        slice(max(0, part.start - by), min(whole, part.stop + by))
        for part, whole in zip(window, size, strict=True)
    )
    inner = tuple(
        slice(part.start - outer.start, part.stop - outer.start)
        for part, outer in zip(window, wide, strict=True)
    )
    return (wide[0], wide[1]), (inner[0], inner[1])


def resized(
    maps: Tensor, size: tuple[int, int], window: Window, *, align_corners: bool = False
) -> Tensor:
    """A window of maps that are resized, bilinear: `F.interpolate(maps, size)[..., rows, columns]`.

    Equal to it up to rounding, since the sums are the same.

    Args:
        maps: (..., h, w), of any type.
        size: (H, W), of which `window` is a part.
        window: Rows and columns.
        align_corners: As in `F.interpolate`.

    Returns:
        (..., rows, columns) float32.
    """
    if tuple(maps.shape[-2:]) == size:
        return maps[..., window[0], window[1]].float()
    device = maps.device
    down = _taps(maps.shape[-2], size[0], window[0], align_corners, device)
    along = _taps(maps.shape[-1], size[1], window[1], align_corners, device)
    used, place = torch.unique(torch.stack(down[:2]), return_inverse=True)
    rows = maps.index_select(-2, used)  # not more than two of each row of the window
    left, right, share = along
    mixed = torch.lerp(
        rows.index_select(-1, left).float(), rows.index_select(-1, right).float(), share
    )
    return _mix_rows(mixed, place, down[2])


def _mix_rows(rows: Tensor, place: Tensor, share: Tensor) -> Tensor:
    """Rows (..., N, columns) between two of (..., R, columns) each: `place` (2, N), share (N,)."""
    wanted, given = len(share), rows.shape[-2]
    if rows.device.type != "cpu" or FEW * given > wanted:
        above, below = (rows.index_select(-2, each) for each in place)
        return torch.lerp(above, below, share[:, None])
    mixing = rows.new_zeros(wanted, given)  # the same sums, and only the result is written
    mixing.scatter_add_(1, place[:1].T, 1 - share[:, None])
    mixing.scatter_add_(1, place[1:].T, share[:, None])
    with torch.autocast("cpu", enabled=False):
        return mixing @ rows


def _taps(
    length: int, wanted: int, part: slice, align_corners: bool, device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """Of each pixel of `part`: the two pixels that it lies between, and its share of the second.

    As PyTorch does it: half-pixel centres, nothing before the first; or corners that lie on each
    other, where the only pixel of a side is the first.
    """
    pixel = torch.arange(part.start, part.stop, device=device, dtype=torch.float32)
    if align_corners:
        place = pixel * ((length - 1) / (wanted - 1) if wanted > 1 else 0.0)
    else:
        place = ((pixel + 0.5) * (length / wanted) - 0.5).clamp(min=0)
    first = place.long().clamp(max=length - 1)
    second = (first + 1).clamp(max=length - 1)
    return first, second, (place - first).clamp(0, 1)
