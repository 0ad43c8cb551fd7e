"""From attention to a transition matrix that spreads CAMs, and the boxes it spreads within.

Stage 3, WeCLIP section 3.3 (refinement module), CLIP-ES section 3.4 (class-aware attention
affinity), and the released code for the constants.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def patch_attention(attention: Sequence[Tensor], last: int) -> Tensor:
    """The last maps without their class token.

    Args:
        attention: L maps (B, 1+N, 1+N).
        last: How many of the last maps to keep; all, where there are fewer.

    Returns:
        (min(L, last), B, N, N).
    """
    return torch.stack([block[:, 1:, 1:] for block in attention[-last:]])


def refined_affinity(attention: Tensor, feature_affinity: Tensor, *, signed: bool) -> Tensor:
    """Average the attention maps that are closest to the decoder's affinity, times that affinity.

    WeCLIP Eq. 5 to 7; no gradient flows.

    Args:
        attention: (L', B, N, N) candidate maps.
        feature_affinity: (B, N, N) in (0, 1), of the decoder.
        signed: Sum signed differences as the released code does (the choice then ignores
            `feature_affinity`), instead of the paper's absolute ones.

    Returns:
        (B, N, N).
    """
    target = feature_affinity.detach().to(attention.dtype)
    difference = target - attention  # (L', B, N, N)
    distance = (difference if signed else difference.abs()).sum(dim=(2, 3))  # (L', B)
    # The rounded mean of equal distances can lie below all of them.
    mean_distance = distance.mean(dim=0).maximum(distance.amin(dim=0))
    keep = (distance <= mean_distance).to(attention.dtype)
    mean = torch.einsum("lb,lbnm->bnm", keep, attention) / (keep.sum(dim=0) + 1e-5)[:, None, None]
    return mean * target


def sinkhorn_transition(affinity: Tensor, rounds: int, power: int = 2) -> Tensor:
    """Normalise columns and rows in turn, symmetrise, and square, or take another power.

    CLIP-ES Eq. 6 and 7.

    Args:
        affinity: (B, N, N), positive.
        rounds: Number of column and row normalisations.
        power: Steps along the transition.

    Returns:
        (B, N, N).
    """
    transition = affinity
    for _ in range(rounds):
        transition = transition / transition.sum(dim=1, keepdim=True)
        transition = transition / transition.sum(dim=2, keepdim=True)
    transition = (transition + transition.transpose(1, 2)) / 2
    powered: Tensor = torch.linalg.matrix_power(transition, power)
    return powered


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


def propagate(cam: Tensor, transition: Tensor, mask: Tensor | None = None) -> Tensor:
    """Spread each map along the transition, from all patches or those inside its boxes.

    Args:
        cam: (B, K, h, w).
        transition: (B, N, N), row: target patch, column: source patch.
        mask: (B, K, h, w) bool, the source patches that count; None: all.

    Returns:
        (B, K, h, w).
    """
    sources = (cam if mask is None else cam * mask).flatten(2)  # (B, K, N)
    return torch.einsum("bnm,bkm->bkn", transition, sources).view_as(cam)


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
