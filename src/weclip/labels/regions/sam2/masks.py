"""Masks of a grid of points: which of SAM's candidates are kept.

Stage 3. Ravi et al., "SAM 2: Segment Anything in Images and Videos", 2024: the automatic mask
generator on the whole image. Candidates are kept as small logits; only masks that are kept are
made at the image's size, so that memory does not grow with the number of points.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from weclip.labels.regions.regions import Proposals

Decode = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Points (n, 2), x and y in 0..1 -> of m masks each logits (n, m, h, w), predicted IoU (n, m)."""

STABILITY_OFFSET = 1.0
"""Logits; SAM's released code."""


@dataclass(frozen=True)
class Thresholds:
    """What a candidate must have.

    Attributes:
        iou: Its predicted IoU is more.
        stability: The share of its pixels at a stricter cut-off, of those at a looser one, is more.
        box_iou: Of two whose boxes overlap by more, the one of higher predicted IoU is kept.
        least_area: Pixels, of the image.
    """

    iou: float
    stability: float
    box_iou: float
    least_area: int


@dataclass(frozen=True)
class _Candidate:
    logits: Tensor  # (h, w)
    score: float
    box: tuple[int, int, int, int]  # x1, y1, x2, y2


def point_grid(side: int) -> Tensor:
    """(side * side, 2) x and y in 0..1: the centres of equal cells, by rows.

    >>> point_grid(2).tolist()
    [[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]]
    """
    centres = (torch.arange(side) + 0.5) / side
    y, x = torch.meshgrid(centres, centres, indexing="ij")
    return torch.stack([x.flatten(), y.flatten()], dim=1)


def masks_of_points(
    decode: Decode, size: tuple[int, int], thresholds: Thresholds, *, side: int, together: int
) -> Proposals:
    """The masks of a grid of points, the surest first.

    Args:
        decode: The model, of one image.
        size: (H, W) of the masks.
        thresholds: See there.
        side: Points a side of the grid.
        together: Points that are decoded together.
    """
    found: list[_Candidate] = []
    for points in torch.split(point_grid(side), together):
        found += _candidates(*decode(points), size, thresholds)
    kept = [found[place] for place in suppressed(found, thresholds.box_iou)]
    masks = np.zeros((len(kept), *size), np.bool_)
    for number, each in enumerate(kept):
        masks[number] = (_enlarged(each.logits, size) > 0).cpu().numpy()
    return Proposals(masks, np.array([each.score for each in kept], np.float32))


def _candidates(
    logits: Tensor, ious: Tensor, size: tuple[int, int], thresholds: Thresholds
) -> Iterator[_Candidate]:
    """Those that pass, of logits (n, m, h, w) and predicted IoU (n, m)."""
    for small, iou in zip(logits.flatten(0, 1), ious.flatten().tolist(), strict=True):
        if not iou > thresholds.iou:
            continue
        whole = _enlarged(small, size)
        inside = whole > 0
        area = int(inside.sum())
        if area < max(1, thresholds.least_area) or not stability(whole) > thresholds.stability:
            continue
        yield _Candidate(small.clone(), iou, box_of(inside))


def stability(logits: Tensor, offset: float = STABILITY_OFFSET) -> float:
    """Pixels above `offset` as a share of those above `-offset`, of logits (H, W); 0 of none.

    >>> stability(torch.tensor([[2.0, 0.5, -0.5, -2.0]]))
    0.3333333333333333
    """
    loose = int((logits > -offset).sum())
    return int((logits > offset).sum()) / loose if loose else 0.0


def box_of(mask: Tensor) -> tuple[int, int, int, int]:
    """(x1, y1, x2, y2), the last row and column included, of a mask (H, W) that has pixels."""
    rows, columns = (mask.any(dim=axis).nonzero()[:, 0] for axis in (1, 0))
    return int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])


def suppressed(found: list[_Candidate], most: float) -> list[int]:
    """Indices of those that stay, in descending score; of equal scores the first stays."""
    if not found:
        return []
    boxes = np.array([each.box for each in found], np.float64)
    waiting = np.argsort([-each.score for each in found], kind="stable")
    stay = []
    while len(waiting):
        best, waiting = int(waiting[0]), waiting[1:]
        stay.append(best)
        waiting = waiting[box_iou(boxes[best], boxes[waiting]) <= most]
    return stay


def box_iou(one: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) IoU of a box (4,) with others (n, 4), as (x1, y1, x2, y2); 0 where both are empty."""
    low, high = np.maximum(one[:2], others[:, :2]), np.minimum(one[2:], others[:, 2:])
    both = (high - low).clip(min=0).prod(axis=1)
    areas = (others[:, 2:] - others[:, :2]).prod(axis=1) + (one[2:] - one[:2]).prod() - both
    ious: NDArray[np.float64] = np.divide(both, areas, out=np.zeros_like(both), where=areas > 0)
    return ious


def _enlarged(logits: Tensor, size: tuple[int, int]) -> Tensor:
    """(H, W), bilinear, of logits (h, w)."""
    resized = F.interpolate(logits[None, None].float(), size, mode="bilinear", align_corners=False)
    return resized[0, 0]
