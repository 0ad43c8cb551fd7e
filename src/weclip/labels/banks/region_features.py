"""What an encoder sees in a region: means of patch features by area, or of features at pixels.

Stage 3. ModuSeg (He et al., 2026) takes the first, CorrCLIPv2's memory the second.
"""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from weclip.backbones.guide import Guide
from weclip.data.windows import windows
from weclip.labels.region_attention.ids import numbered
from weclip.labels.resizing import resized

EPS = 1e-8
"""Beside sums and norms; ModuSeg, released code."""

LEAST_WEIGHT = 1e-6
"""Of a region's patches together, and of its feature's norm; ModuSeg, released code."""


def padded_size(size: tuple[int, int], patch: int) -> tuple[int, int]:
    """An image's (H, W) with what is added on the right and below, to whole patches.

    >>> padded_size((100, 84), 14)
    (112, 84)
    """
    return size[0] + -size[0] % patch, size[1] + -size[1] % patch


def padded(planes: Tensor, patch: int) -> Tensor:
    """Maps (..., H, W) with zeros on the right and below, to whole patches."""
    height, width = planes.shape[-2:]
    return F.pad(planes, (0, -width % patch, 0, -height % patch))


def mask_weights(masks: Iterable[Tensor], patch: int) -> Tensor:
    """Share of each patch's pixels that a mask has; what is added to the image is in none.

    Args:
        masks: P masks (H, W) bool, at least one.
        patch: Pixels of a patch's side.

    Returns:
        (P, N) float32 in [0, 1], patches row by row.
    """
    shares = [F.avg_pool2d(padded(mask.float(), patch)[None, None], patch)[0, 0] for mask in masks]
    return torch.stack(shares).flatten(1)


def id_weights(place: Tensor, count: int, patch: int) -> Tensor:
    """As `mask_weights`, of `count` regions that do not overlap, all at once.

    Args:
        place: (H, W) int64, each pixel's region, from 0 on.
        count: P.
        patch: Pixels of a patch's side.
    """
    height, width = place.shape
    columns = padded_size((height, width), patch)[1] // patch
    rows = padded_size((height, width), patch)[0] // patch
    down = torch.arange(height, device=place.device)[:, None] // patch
    along = torch.arange(width, device=place.device) // patch
    index = place * (rows * columns) + down * columns + along
    counts = torch.bincount(index.flatten(), minlength=count * rows * columns)
    return counts.view(count, -1) / patch**2


def aggregated(weights: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """The feature of each region: the mean of patch tokens by weight, of unit length.

    Args:
        weights: (P, N) of `mask_weights`.
        tokens: (N, J).

    Returns:
        (P, J) float32, 0 where a region has no weight; and (P,) bool, which are usable.
    """
    total = weights.sum(dim=1, keepdim=True)
    mean = weights @ tokens.float() / (total + EPS)
    norm = mean.norm(dim=1, keepdim=True)
    heavy = (total >= LEAST_WEIGHT) & (norm >= LEAST_WEIGHT)
    usable = heavy[:, 0] & mean.isfinite().all(dim=1)
    unit = torch.where(usable[:, None], mean / (norm + EPS), 0.0)
    return unit, usable


@torch.no_grad()
def means_at_pixels(maps: Tensor, ids: Tensor, *, unit: bool) -> tuple[Tensor, Tensor]:
    """Means over each region's pixels of maps that are resized to the image, bilinear.

    Args:
        maps: (J, h, w).
        ids: (H, W) int64 of regions.
        unit: Whether the features of a pixel have unit length before the mean.

    Returns:
        The ids that are there, ascending (P,), and the means (P, J) float32.
    """
    present, place = numbered(ids)
    total = maps.new_zeros(len(present), len(maps), dtype=torch.float32)
    size = (ids.shape[0], ids.shape[1])
    for window in windows(size, len(maps)):
        part = resized(maps, size, window)
        part = F.normalize(part, dim=0) if unit else part
        total.index_add_(0, place[window].flatten(), part.flatten(1).T)
    return present, total / torch.bincount(place.flatten(), minlength=len(present))[:, None]


def as_maps(guide: Guide) -> Tensor:
    """Features of one image as maps (J, h, w)."""
    return torch.unflatten(guide.features[0].T, 1, guide.patch_grid)
