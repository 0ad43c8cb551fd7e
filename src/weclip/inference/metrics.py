"""Scores of label maps against masks, from one confusion matrix over the whole data set.

Stage 6. Pixels marked 255 in the mask are not counted; IoU and class accuracy are averaged over
the classes that occur in the ground truth. Means of per-image scores differ by many points and
are never reported.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torchmetrics.functional.classification import multiclass_confusion_matrix

from weclip.data.batch import IGNORE_INDEX
from weclip.errors import InputError


@dataclass(frozen=True)
class Scores:
    """Scores of one data set, all in [0, 1].

    Attributes:
        miou: Mean IoU over classes that occur in the ground truth.
        per_class_iou: IoU by class id; None where the class does not occur in the ground truth.
        pixel_accuracy: Fraction of counted pixels with the right class.
        mean_class_accuracy: Mean recall over classes that occur in the ground truth.
        num_images: Images counted.
    """

    miou: float
    per_class_iou: tuple[float | None, ...]
    pixel_accuracy: float
    mean_class_accuracy: float
    num_images: int

    def to_dict(self, class_names: Sequence[str]) -> dict[str, Any]:
        """The scores as JSON values; IoU by class name, null for absent classes."""
        return {
            "miou": self.miou,
            "pixel_accuracy": self.pixel_accuracy,
            "mean_class_accuracy": self.mean_class_accuracy,
            "num_images": self.num_images,
            "per_class_iou": dict(zip(class_names, self.per_class_iou, strict=True)),
        }


def confusion_matrix(label_map: Tensor, mask: Tensor, *, num_classes: int) -> Tensor:
    """Count the pixels of one image by true class (row) and predicted class (column).

    Args:
        label_map: (H, W) integer class ids in [0, num_classes).
        mask: (H, W) integer class ids, 255 where a pixel does not count.
        num_classes: C, with background.

    Returns:
        (C, C) int64 on the CPU.

    Raises:
        InputError: The sizes differ, or one of the two holds other ids.
    """
    if label_map.shape != mask.shape:
        raise InputError(
            f"label map of {_size(label_map)} pixels and mask of {_size(mask)} differ in size: "
            "a label map must have its image's size"
        )
    counted = mask != IGNORE_INDEX
    predicted, true = label_map[counted].long().cpu(), mask[counted].long().cpu()
    for name, ids in (("label map", predicted), ("mask", true)):
        if ids.numel() and not 0 <= int(ids.min()) <= int(ids.max()) < num_classes:
            raise InputError(
                f"{name} has class ids {int(ids.min())} to {int(ids.max())}: allowed are 0 to "
                f"{num_classes - 1}, and {IGNORE_INDEX} in masks; is the class list the right one?"
            )
    matrix: Tensor = multiclass_confusion_matrix(
        predicted, true, num_classes=num_classes, validate_args=False
    )
    return matrix.long()


def scores_from_confusion(matrix: Tensor, *, num_images: int) -> Scores:
    """Turn a summed confusion matrix into scores.

    Args:
        matrix: (C, C) int64, rows true, columns predicted.
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
    hits, true, predicted = matrix.diagonal(), matrix.sum(1), matrix.sum(0)
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
    )


def _size(ids: Tensor) -> str:
    return " x ".join(map(str, ids.shape))
