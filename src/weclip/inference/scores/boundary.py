"""Boundary IoU: how well the contours of label maps follow those of masks.

Stage 6; Cheng et al., CVPR 2021. The boundary region of a class is every pixel of it that lies
within a distance of its contour; the IoU of the two regions is taken for each class, from counts
over the whole data set, and averaged over the classes that occur in the ground truth. As in the
authors' code the distance is that of erosions with a 3 x 3 square, and the image ends in a contour.

Pixels marked 255 in the mask are not counted, and are no class in the label map either: a label
map that is right elsewhere scores 1.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from weclip.data.bands import bands, count_ids
from weclip.data.batch import IGNORE_INDEX

DILATION_RATIO = (
    0.02  # the distance, as a share of the diagonal (paper; dilation_ratio in the released code)
)
BAND = 2**23
"""Pixels of a band of rows; a few copies of it are held."""

OVERLAP = 4
"""How many times a band is as high as what is looked at around it, at the least."""

Ids = NDArray[np.uint8]


@dataclass(frozen=True)
class BoundaryScores:
    """Boundary IoU of one data set, in [0, 1].

    Attributes:
        mean_iou: Mean over classes that occur in the ground truth.
        per_class_iou: By class id; None where the class does not occur in the ground truth.
    """

    mean_iou: float
    per_class_iou: tuple[float | None, ...]


def boundary_distance(height: int, width: int) -> int:
    """How far the boundary region reaches into a class, in pixels; at least 1.

    >>> boundary_distance(375, 500), boundary_distance(8, 6)
    (12, 1)
    """
    return max(1, round(DILATION_RATIO * math.hypot(height, width)))


def boundary_pixels(label_map: Ids, distance: int) -> NDArray[np.bool_]:
    """Find the pixels that lie in the boundary region of their own class.

    `distance` erosions of a class keep the pixels whose window of 2 `distance` + 1 lies inside it,
    so the others are those whose window holds two different ids: one pass for all classes.

    Args:
        label_map: (H, W) uint8 ids; what is 255 is no class, as is everything outside.
        distance: Number of erosions with a 3 x 3 square.

    Returns:
        (H, W) bool; without meaning where the label map is 255.
    """
    padded = np.pad(label_map, distance, constant_values=IGNORE_INDEX)
    low = high = padded
    for axis in (0, 1):
        low = _window_extreme(np.minimum, low, 2 * distance + 1, axis)
        high = _window_extreme(np.maximum, high, 2 * distance + 1, axis)
    differ: NDArray[np.bool_] = low != high  # (H, W)
    return differ


def _window_extreme(extreme: np.ufunc, ids: Ids, window: int, axis: int) -> Ids:
    """Smallest or largest id of each whole window along an axis, by windows of twice the size."""
    ids = ids.swapaxes(0, axis)
    size = 1
    while size < window:
        step = min(size, window - size)
        ids = extreme(ids[:-step], ids[step:])
        size += step
    return ids.swapaxes(0, axis)


def boundary_counts(label_map: Ids, mask: Ids, *, num_classes: int) -> Tensor:
    """Count one image's pixels in boundary regions.

    Args:
        label_map: (H, W) uint8 ids in [0, num_classes), or 255 for no class.
        mask: (H, W) uint8 ids, 255 where a pixel does not count.
        num_classes: C, with background.

    Returns:
        (3, C) int64: pixels by class that are in both regions, in that of the label map, and in
        that of the mask.
    """
    distance = boundary_distance(*mask.shape)
    counts = np.zeros((3, 256), np.int64)
    for rows in bands(mask.shape, max(BAND, OVERLAP * distance * mask.shape[1])):
        counts += _counts(label_map, mask, rows, distance)
    return torch.from_numpy(counts[:, :num_classes])


def _counts(label_map: Ids, mask: Ids, rows: slice, distance: int) -> NDArray[np.int64]:
    """As `boundary_counts`, of a band of rows, for all ids: (3, 256)."""
    above, below = min(distance, rows.start), min(distance, len(mask) - rows.stop)
    wide = slice(rows.start - above, rows.stop + below)
    inner = slice(above, above + rows.stop - rows.start)
    true = mask[wide]
    predicted = np.where(true == IGNORE_INDEX, np.uint8(IGNORE_INDEX), label_map[wide])
    in_predicted = boundary_pixels(predicted, distance)[inner]
    in_mask = boundary_pixels(true, distance)[inner]
    true, predicted = true[inner], predicted[inner]
    both = in_predicted & in_mask & (predicted == true)
    return np.stack(
        [
            count_ids(true, both),
            count_ids(predicted, in_predicted),
            count_ids(true, in_mask),
        ]
    )


def scores_from_counts(counts: Tensor) -> BoundaryScores:
    """Turn summed counts into scores.

    Args:
        counts: (3, C) int64 of `boundary_counts`, summed; some class occurs in the ground truth.

    >>> scores_from_counts(Tensor([[3, 0], [4, 5], [5, 0]]))
    BoundaryScores(mean_iou=0.5, per_class_iou=(0.5, None))
    """
    both, predicted, true = counts.double()
    present = true > 0  # a class that occurs has a contour, since the image ends in one
    iou = both / (predicted + true - both).clamp(min=1)
    per_class = tuple(
        float(value) if here else None for value, here in zip(iou, present, strict=True)
    )
    return BoundaryScores(float(iou[present].mean()), per_class)
