"""A window of maps that are resized to an image, without resizing all of them.

Stage 3, read by stage 6 too; `data.windows` cuts the image.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from weclip.data.windows import Window

FEW = 4
"""How many times fewer rows than wanted ones make a matrix product the fastest way on a CPU."""


def planes(image: NDArray[np.uint8]) -> Tensor:
    """(3, H, W) view of an image (H, W, 3) uint8; a copy only where it may not be written to."""
    return torch.from_numpy(image if image.flags.writeable else image.copy()).permute(2, 0, 1)


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
