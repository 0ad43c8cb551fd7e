"""Boxes of the strong regions of maps, within which maps are spread.

Stage 3, CLIP-ES section 3.4, and the released code for the constants. How long the work takes does
not depend on the maps, so that a GPU never waits to be asked whether it is done.
"""

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor


def box_mask(cam: Tensor, threshold: float, *, exclusive_edge: bool) -> Tensor:
    """Union of the bounding boxes of each map's strong 8-connected regions.

    The released code takes the boxes of all contours; inner contours lie inside outer ones, so
    components give the same mask.

    Args:
        cam: (B, K, h, w) in [0, 1].
        threshold: Share of the map's maximum above which a patch is strong.
        exclusive_edge: Leave the last row and column outside every box, as released.

    Returns:
        (B, K, h, w) bool.
    """
    batch, slots, height, width = cam.shape
    levels = (cam.flatten(0, 1) * 255).floor()  # (B*K, h, w)
    peak = levels.amax(dim=(1, 2), keepdim=True).long().clamp(0, 255)
    strong = levels > _cuts(threshold, cam.device)[peak]
    boxes = region_boxes(strong, exclusive_edge=exclusive_edge)
    return boxes.view(batch, slots, height, width)


@cache
def _cuts(threshold: float, device: torch.device) -> Tensor:
    """(256,) int64, the share of each level; made once for a device.

    Python's product, since a float32 one can fall on the other side of a whole number.
    """
    with torch.inference_mode(False):
        return torch.tensor([int(threshold * level) for level in range(256)], device=device)


def region_boxes(strong: Tensor, *, exclusive_edge: bool) -> Tensor:
    """Union of the bounding boxes of each map's 8-connected regions.

    Args:
        strong: (M, h, w) bool, the patches of the regions.
        exclusive_edge: As in `box_mask`.

    Returns:
        (M, h, w) bool.
    """
    _, height, width = strong.shape
    strong = F.pad(strong, (0, width % 2, 0, height % 2))
    y0, x0, y1, x1 = _label_boxes(connected_blocks(strong), strong)  # (M, n+1) each
    if exclusive_edge:
        y1, x1 = y1.clamp(max=height - 1), x1.clamp(max=width - 1)
    return _fill_boxes(y0, x0, y1, x1, (height, width))


def connected_blocks(strong: Tensor) -> Tensor:
    """Label the 8-connected regions of maps, in a number of rounds that the size alone decides.

    All strong patches of a block of 2 x 2 touch, so blocks are labelled. In each round every label
    that touches others of its region joins one of them (`_joined`). So a region that still has
    several labels in round r has at most n / 2^r of them, and one label after log2(n) rounds.

    Args:
        strong: (M, h, w) bool, h and w even, with n = h * w / 4 blocks.

    Returns:
        (M, n) int64, a number from 1 to n for each region; 0 where no patch of the block is strong.
    """
    filled = _largest_of_blocks(strong)  # (M, h/2, w/2)
    count = filled[0].numel()
    numbers = torch.arange(count + 1, device=strong.device).expand(len(strong), -1)
    labels = numbers[:, 1:] * filled.flatten(1)
    for done in range(count.bit_length() - 1):
        parent = _joined(labels, strong, numbers)
        for _ in range((count >> done).bit_length()):  # twice as far each time, so to the root
            parent = parent.gather(1, parent)
        labels = parent.gather(1, labels)
    return labels


def _joined(labels: Tensor, strong: Tensor, numbers: Tensor) -> Tensor:
    """The label that each label 0..n joins, or itself: (M, n+1).

    It is the largest that it touches or, for one that touches no larger, the smallest. A label that
    another one below it joined is the largest that this one touches, so the only circles are pairs
    that join each other; the larger of a pair stays.
    """
    (maps, height, width), beyond = strong.shape, numbers.shape[1]
    grid = labels.view(maps, height // 2, 1, width // 2, 1).expand(-1, -1, 2, -1, 2)
    grid = grid.reshape(strong.shape)
    both = torch.stack([grid, beyond - grid]) * strong  # largest and smallest in one pass
    near = _largest_of_blocks(_largest_around(both) * strong).flatten(2)  # (2, M, n)
    best = (
        torch.zeros_like(numbers)
        .repeat(2, 1, 1)
        .scatter_reduce(2, labels.expand_as(near), near, "amax")
    )
    largest, smallest = best[0], beyond - best[1]
    other = torch.where(largest > numbers, largest, smallest)
    other = torch.where(best[0] > 0, other, numbers)  # labels that are not in use
    pair = (other.gather(1, other) == numbers) & (numbers > other)
    return torch.where(pair, numbers, other)


def _largest_around(x: Tensor) -> Tensor:
    """The largest of each cell of (..., h, w) and its 8 neighbours; none is below 0."""
    x = F.pad(x, (1, 1, 1, 1))
    x = x[..., :-2, :].maximum(x[..., 1:-1, :]).maximum(x[..., 2:, :])
    return x[..., :-2].maximum(x[..., 1:-1]).maximum(x[..., 2:])


def _largest_of_blocks(x: Tensor) -> Tensor:
    """The largest of each block of 2 x 2: (..., h/2, w/2) of (..., h, w)."""
    x = x[..., ::2, :].maximum(x[..., 1::2, :])
    return x[..., ::2].maximum(x[..., 1::2])


def _label_boxes(labels: Tensor, strong: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Half-open boxes (y0, x0, y1, x1) of labels 0..n, each (M, n+1); empty where unused.

    Args:
        labels: (M, n) of the blocks.
        strong: (M, h, w) bool, the patches.
    """
    _, height, width = strong.shape
    y = torch.arange(height, device=strong.device)[:, None].expand(-1, width)
    x = torch.arange(width, device=strong.device).expand(height, -1)
    sides = torch.stack([height - y, width - x, y + 1, x + 1])  # the larger the further out
    blocks = _largest_of_blocks(sides[:, None] * strong).flatten(2)  # (4, M, n)
    out = blocks.new_zeros(4, len(labels), labels.shape[1] + 1)
    out = out.scatter_reduce(2, labels.expand_as(blocks), blocks, "amax")
    return height - out[0], width - out[1], out[2], out[3]


def _fill_boxes(y0: Tensor, x0: Tensor, y1: Tensor, x1: Tensor, size: tuple[int, int]) -> Tensor:
    """Whether each cell of (M, *size) lies in any of M rows of boxes, by 2-D differences."""
    height, width = size
    real = ((y1 > y0) & (x1 > x0)).long()
    corners = torch.zeros(len(y0), (height + 1) * (width + 1), dtype=torch.int64, device=y0.device)
    for y, x, sign in ((y0, x0, 1), (y1, x1, 1), (y0, x1, -1), (y1, x0, -1)):
        corners.scatter_add_(1, (y * (width + 1) + x) * real, sign * real)
    count = corners.view(-1, height + 1, width + 1).cumsum(1).cumsum(2)
    return count[:, :height, :width] > 0
