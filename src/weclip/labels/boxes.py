"""Boxes of the strong regions of maps, within which maps are spread.

Stage 3, CLIP-ES section 3.4, and the released code for the constants.
"""

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
    # Python's product, since a float32 one can fall on the other side of a whole number.
    cuts = torch.tensor([int(threshold * level) for level in range(256)], device=cam.device)
    boxes = region_boxes(levels > cuts[peak], exclusive_edge=exclusive_edge)
    return boxes.view(batch, slots, height, width)


def region_boxes(strong: Tensor, *, exclusive_edge: bool) -> Tensor:
    """Union of the bounding boxes of each map's 8-connected regions.

    Args:
        strong: (M, h, w) bool, the patches of the regions.
        exclusive_edge: As in `box_mask`.

    Returns:
        (M, h, w) bool.
    """
    _, height, width = strong.shape
    y0, x0, y1, x1 = _component_boxes(_connected_components(strong))  # (M, n+1) each
    if exclusive_edge:
        y1, x1 = y1.clamp(max=height - 1), x1.clamp(max=width - 1)
    return _fill_boxes(y0, x0, y1, x1, (height, width))


def _connected_components(strong: Tensor) -> Tensor:
    """Label 8-connected regions of (M, h, w) bool by their largest patch number + 1, else 0."""
    number = torch.arange(1, strong[0].numel() + 1, device=strong.device, dtype=torch.float32)
    labels = number.view_as(strong[0]) * strong
    while True:
        spread = F.max_pool2d(labels[:, None], 3, stride=1, padding=1)[:, 0] * strong
        if torch.equal(spread, labels):
            return labels.long()
        labels = spread


def _component_boxes(labels: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Half-open boxes (y0, x0, y1, x1) of labels 0..n, each (M, n+1); empty where unused."""
    maps, height, width = labels.shape
    flat = labels.view(maps, -1)
    rows = torch.arange(height, device=labels.device).repeat_interleave(width).expand_as(flat)
    columns = torch.arange(width, device=labels.device).repeat(height).expand_as(flat)
    shape = (maps, height * width + 1)
    low = torch.full(shape, max(height, width), device=labels.device)
    high = torch.zeros(shape, device=labels.device, dtype=torch.int64)
    y0 = low.scatter_reduce(1, flat, rows, "amin")
    x0 = low.scatter_reduce(1, flat, columns, "amin")
    y1 = high.scatter_reduce(1, flat, rows + 1, "amax")
    x1 = high.scatter_reduce(1, flat, columns + 1, "amax")
    for side in (y0, x0, y1, x1):
        side[:, 0] = 0  # label 0 is what belongs to no region
    return y0, x0, y1, x1


def _fill_boxes(y0: Tensor, x0: Tensor, y1: Tensor, x1: Tensor, size: tuple[int, int]) -> Tensor:
    """Whether each cell of (M, *size) lies in any of M rows of boxes, by 2-D differences."""
    height, width = size
    real = ((y1 > y0) & (x1 > x0)).long()
    corners = torch.zeros(len(y0), (height + 1) * (width + 1), dtype=torch.int64, device=y0.device)
    for y, x, sign in ((y0, x0, 1), (y1, x1, 1), (y0, x1, -1), (y1, x0, -1)):
        corners.scatter_add_(1, (y * (width + 1) + x) * real, sign * real)
    count = corners.view(-1, height + 1, width + 1).cumsum(1).cumsum(2)
    return count[:, :height, :width] > 0
