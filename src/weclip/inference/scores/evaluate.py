"""Run a model, or a stream of label maps, over a split and score it.

Stage 6. Images are streamed: one label map and one small confusion matrix at a time.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from weclip.data.images.full_images import EvalItem
from weclip.inference.predictor import Predictor
from weclip.inference.scores.boundary import boundary_counts, scores_from_counts
from weclip.inference.scores.metrics import (
    LabelMap,
    Scores,
    confusion_matrix,
    scores_from_confusion,
)
from weclip.inference.stream.beside import Writer
from weclip.inference.stream.predicted import predict_stream
from weclip.labels.regions.regions import Regions
from weclip.system.distributed import everyones
from weclip.system.errors import InputError

RegionsOf = Callable[[str, NDArray[np.uint8]], Regions]
"""The name of an image, and its pixels (H, W, 3) -> its regions."""


@dataclass(frozen=True)
class EvaluationResult:
    """Scores of a split.

    Attributes:
        scores: Of all images.
        group_scores: Of the images of each group, such as seen and unseen drawings; a group
            without a labelled pixel is left out.
        image_miou: By image name, mean IoU over the classes in its mask. Only for choosing
            pictures: the mean of these numbers is not a score. Images without a labelled pixel
            are left out.
    """

    scores: Scores
    group_scores: Mapping[str, Scores]
    image_miou: Mapping[str, float]

    def ranked(self) -> list[str]:
        """Image names from the best to the worst."""
        return sorted(self.image_miou, key=lambda name: (-self.image_miou[name], name))


def evaluate_segmentation(
    predictor: Predictor,
    samples: Iterable[EvalItem],
    *,
    num_classes: int,
    group_of: Callable[[str], str | None] | None = None,
    boundary: bool = False,
    regions: RegionsOf | None = None,
) -> EvaluationResult:
    """Predict every image and score it; a module is left in the mode it came in.

    Several processes each give their own part of the images, and all get the scores of the split.

    Args:
        predictor: The model with its test protocol.
        samples: Images with their masks, such as `data.full_images` yields; tags are not read.
        num_classes: C, with background.
        group_of: Group of an image's name, or None for images in no group.
        boundary: Whether boundary IoU is scored too.
        regions: Gives those of an image by its name, for a model that reads them in files.
    """
    predicted = predict_stream(
        predictor, ((item, item.image) for item in samples), regions=of_items(regions)
    )
    return score_label_maps(
        ((item.name, label_map, item.mask) for item, label_map in predicted),
        num_classes=num_classes,
        group_of=group_of,
        boundary=boundary,
    )


def of_items(
    regions: RegionsOf | None,
) -> Callable[[EvalItem, NDArray[np.uint8]], Regions] | None:
    """The same of an item, as `predict_stream` asks; None if there are none."""
    return None if regions is None else lambda item, pixels: regions(item.name, pixels)


def score_label_maps(
    label_maps: Iterable[tuple[str, LabelMap, LabelMap]],
    *,
    num_classes: int,
    group_of: Callable[[str], str | None] | None = None,
    boundary: bool = False,
    unsure: bool = False,
) -> EvaluationResult:
    """Score label maps of any origin (predictions, CAMs, pseudo-labels) against masks.

    Several processes each give their own part, and all get the scores of the split.

    Args:
        label_maps: Name, (H, W) label map and (H, W) mask of each image.
        num_classes: C, with background.
        group_of: Group of an image's name, or None for images in no group.
        boundary: Whether boundary IoU is scored too.
        unsure: Whether label maps may hold 255, which is wrong wherever a mask has a class.

    Raises:
        InputError: A label map does not fit its mask (the image is named), or nothing was scored.
    """
    tally = Tally(num_classes, group_of, boundary=boundary, unsure=unsure)
    with Writer() as count:  # beside what makes the label maps
        for name, label_map, mask in label_maps:
            count(tally.add, name, label_map, mask)
    return tally.gather().result()


class Tally:
    """Confusion matrices of a split while it is streamed.

    Args:
        num_classes: C, with background.
        group_of: Group of an image's name, or None for images in no group.
        boundary: Whether boundary IoU is counted too.
        unsure: Whether label maps may hold 255, which is wrong wherever a mask has a class.
    """

    def __init__(
        self,
        num_classes: int,
        group_of: Callable[[str], str | None] | None = None,
        *,
        boundary: bool = False,
        unsure: bool = False,
    ) -> None:
        self.num_classes = num_classes
        self.group_of = group_of or (lambda name: None)
        self.unsure = unsure
        self.total = torch.zeros(num_classes, num_classes + unsure, dtype=torch.int64)
        self.boundary = torch.zeros(3, num_classes, dtype=torch.int64) if boundary else None
        self.groups: dict[str, tuple[Tensor, int]] = {}
        self.image_miou: dict[str, float] = {}
        self.count = 0

    def add(self, name: str, label_map: LabelMap, mask: LabelMap) -> None:
        """Count one image; InputError if its label map does not fit its mask."""
        classes = self.num_classes
        try:
            matrix = confusion_matrix(label_map, mask, num_classes=classes, unsure=self.unsure)
        except InputError as error:
            raise InputError(f"image {name}: {error}") from error
        self.total += matrix
        self.count += 1
        if self.boundary is not None:
            self.boundary += boundary_counts(_array(label_map), _array(mask), num_classes=classes)
        if matrix.sum() > 0:
            self.image_miou[name] = scores_from_confusion(matrix, num_images=1).miou
        group = self.group_of(name)
        if group is not None:
            self._add_to_group(group, matrix, 1)

    def _add_to_group(self, group: str, matrix: Tensor, images: int) -> None:
        summed, before = self.groups.get(group, (torch.zeros_like(matrix), 0))
        self.groups[group] = (summed + matrix, before + images)

    def gather(self) -> "Tally":
        """Take in what the other processes added; every process then holds the same."""
        own = (self.total, self.groups, self.image_miou, self.count, self.boundary)
        merged = Tally(self.num_classes, boundary=self.boundary is not None, unsure=self.unsure)
        for total, groups, image_miou, count, boundary in everyones(own):
            merged.total += total
            if merged.boundary is not None and boundary is not None:
                merged.boundary += boundary
            merged.image_miou |= image_miou
            merged.count += count
            for group, (matrix, images) in groups.items():
                merged._add_to_group(group, matrix, images)
        self.total, self.groups = merged.total, merged.groups
        self.image_miou, self.count = merged.image_miou, merged.count
        self.boundary = merged.boundary
        return self

    def result(self) -> EvaluationResult:
        """Scores of everything added; InputError if no pixel was scored."""
        group_scores = {
            group: scores_from_confusion(matrix, num_images=images)
            for group, (matrix, images) in sorted(self.groups.items())
            if matrix.sum() > 0
        }
        scores = scores_from_confusion(self.total, num_images=self.count)
        if self.boundary is not None:
            scores = replace(scores, boundary=scores_from_counts(self.boundary))
        return EvaluationResult(scores, group_scores, self.image_miou)


def _array(ids: LabelMap) -> NDArray[np.uint8]:
    array = ids.numpy(force=True) if isinstance(ids, Tensor) else ids
    return array.astype(np.uint8, copy=False)
