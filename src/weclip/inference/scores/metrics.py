"""Scores of label maps against masks, from one confusion matrix over the whole data set.

Stage 6. Pixels marked 255 in the mask are not counted; IoU and class accuracy are averaged over
the classes that occur in the ground truth. Means of per-image scores differ by many points and
are never reported. Label maps made elsewhere may hold 255 too, where they are unsure: such pixels
are wrong, or leaving out what is hard would raise a score.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from weclip.data.bands import bands
from weclip.data.batch import IGNORE_INDEX
from weclip.inference.scores.boundary import BoundaryScores
from weclip.system.errors import InputError

AnyIds = NDArray[np.integer[Any]]
LabelMap = AnyIds | Tensor
"""(H, W) integer class ids."""


@dataclass(frozen=True)
class Scores:
    """Scores of one data set, all in [0, 1].

    Attributes:
        miou: Mean IoU over classes that occur in the ground truth.
        per_class_iou: IoU by class id; None where the class does not occur in the ground truth.
        pixel_accuracy: Fraction of counted pixels with the right class.
        mean_class_accuracy: Mean recall over classes that occur in the ground truth.
        num_images: Images counted.
        unsure_share: Fraction of counted pixels without a predicted class, all of them wrong;
            None where every pixel must have one.
        boundary: Boundary IoU; None where it was not asked for.
    """

    miou: float
    per_class_iou: tuple[float | None, ...]
    pixel_accuracy: float
    mean_class_accuracy: float
    num_images: int
    unsure_share: float | None = None
    boundary: BoundaryScores | None = None

    def to_dict(self, class_names: Sequence[str]) -> dict[str, Any]:
        """The scores as JSON values; IoU by class name, null for absent classes."""
        scores: dict[str, Any] = {
            "miou": self.miou,
            "pixel_accuracy": self.pixel_accuracy,
            "mean_class_accuracy": self.mean_class_accuracy,
            "num_images": self.num_images,
            "per_class_iou": dict(zip(class_names, self.per_class_iou, strict=True)),
        }
        if self.unsure_share is not None:
            scores["unsure_share"] = self.unsure_share
        if self.boundary is not None:
            by_class = zip(class_names, self.boundary.per_class_iou, strict=True)
            scores |= {
                "boundary_iou": self.boundary.mean_iou,
                "per_class_boundary_iou": dict(by_class),
            }
        return scores


def confusion_matrix(
    label_map: LabelMap, mask: LabelMap, *, num_classes: int, unsure: bool = False
) -> Tensor:
    """Count the pixels of one image by true class (row) and predicted class (column).

    Args:
        label_map: (H, W) integer class ids in [0, num_classes).
        mask: (H, W) integer class ids, 255 where a pixel does not count.
        num_classes: C, with background.
        unsure: Whether the label map may hold 255, which is counted in a last column.

    Returns:
        (C, C) int64 on the CPU; (C, C+1) with `unsure`.

    Raises:
        InputError: The sizes differ, or one of the two holds other ids.
    """
    if label_map.shape != mask.shape:
        raise InputError(
            f"label map of {_size(label_map)} pixels and mask of {_size(mask)} differ in size: "
            "a label map must have its image's size"
        )
    predicted, true = (
        ids.numpy(force=True) if isinstance(ids, Tensor) else ids for ids in (label_map, mask)
    )
    counts = np.zeros((num_classes, num_classes + unsure), np.int64)
    for rows in bands(true.shape):
        counts += _counts(predicted[rows], true[rows], num_classes, unsure=unsure)
    return torch.from_numpy(counts)


def _counts(
    predicted: AnyIds, true: AnyIds, num_classes: int, *, unsure: bool
) -> NDArray[np.int64]:
    """The confusion matrix of a band of rows, as an array.

    By NumPy: PyTorch's bincount is slow where deterministic algorithms are asked for, and its
    threads wait for each other where the processor is busy.
    """
    counted = true != IGNORE_INDEX
    found, wanted = predicted[counted].astype(np.int64), true[counted].astype(np.int64)
    _require_ids("mask", wanted, num_classes)
    decided = found != IGNORE_INDEX if unsure else np.ones_like(found, dtype=np.bool_)
    _require_ids("label map", found[decided], num_classes)
    columns = num_classes + unsure
    found[~decided] = num_classes  # the last column
    counts = np.bincount(wanted * columns + found, minlength=num_classes * columns)
    return counts.reshape(num_classes, columns).astype(np.int64, copy=False)


def _require_ids(name: str, ids: NDArray[np.int64], num_classes: int) -> None:
    """InputError if there is an id outside [0, num_classes)."""
    if ids.size and not 0 <= ids.min() <= ids.max() < num_classes:
        raise InputError(
            f"{name} has class ids {ids.min()} to {ids.max()}: allowed are 0 to "
            f"{num_classes - 1}, and {IGNORE_INDEX} in masks; is the class list the right one?"
        )


def scores_from_confusion(matrix: Tensor, *, num_images: int) -> Scores:
    """Turn a summed confusion matrix into scores.

    Args:
        matrix: (C, C) or (C, C+1) int64 of `confusion_matrix`, summed.
        num_images: Images it was summed over.

    Raises:
        InputError: The matrix is empty: there was no labelled pixel to score.

    >>> matrix = Tensor([[3, 1], [0, 4]])
    >>> scores_from_confusion(matrix, num_images=1).per_class_iou
    (0.75, 0.8)
    """
    matrix = matrix.double()
    if matrix.sum() == 0:
        raise InputError(
            f"nothing to score: {num_images} images without a labelled pixel; check that the "
            "split is not empty and that its masks are not all 255"
        )
    classes, columns = matrix.shape
    hits, true, predicted = matrix.diagonal(), matrix.sum(1), matrix.sum(0)[:classes]
    present = true > 0
    iou = hits / (true + predicted - hits).clamp(min=1)
    recall = hits / true.clamp(min=1)
    return Scores(
        miou=float(iou[present].mean()),
        per_class_iou=tuple(
            float(value) if here else None for value, here in zip(iou, present, strict=True)
        ),
        pixel_accuracy=float(hits.sum() / matrix.sum()),
        mean_class_accuracy=float(recall[present].mean()),
        num_images=num_images,
        unsure_share=float(matrix[:, -1].sum() / matrix.sum()) if columns > classes else None,
    )


def _size(ids: LabelMap) -> str:
    return " x ".join(map(str, ids.shape))
