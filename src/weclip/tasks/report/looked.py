"""A model looks at images: scenes with their pictures, and scores where there are masks.

Bounded: at most `MOST_LOOKED` images of each kind, chosen by their names alone, for `SECONDS`.
"""

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from weclip.data.batch import MaskedImage, TaggedImage
from weclip.data.images.full_images import EvalDataset
from weclip.data.images.reading import Reading
from weclip.inference.given_image import as_rgb
from weclip.inference.predictor import Predictor
from weclip.inference.report.overview.looking import look
from weclip.inference.report.overview.picture import Panel, outlined, photo
from weclip.inference.report.overview.scene import Scene, shares_of
from weclip.inference.scores.evaluate import RegionsOf, Tally
from weclip.inference.scores.metrics import confusion_matrix, scores_from_confusion
from weclip.system.errors import InputError
from weclip.training.runlog import tracked

MOST_LOOKED = 200
"""Training images that are looked at, and as many with masks."""

SECONDS = 120.0
"""For the training images, and as long for those with masks; then it is left at what is done."""

Image = TypeVar("Image", TaggedImage, MaskedImage)


@dataclass
class Looked:
    """What looking at images gave.

    Attributes:
        of: Images there are.
        scenes: Those that were looked at.
        pictures: Their panels by name.
        tally: Scores of those with masks; None of others.
    """

    of: int
    scenes: list[Scene] = field(default_factory=list)
    pictures: dict[str, list[Panel]] = field(default_factory=dict)
    tally: Tally | None = None

    def panels(self, scene: Scene) -> Sequence[Panel]:
        """The pictures of a scene."""
        return self.pictures[scene.name]


def chosen(images: Sequence[Image], most: int = MOST_LOOKED) -> list[Image]:
    """At most so many, spread over all by their names alone: always the same ones."""

    def spread(image: Image) -> bytes:
        return hashlib.sha256(image.name.encode("utf-8", "surrogateescape")).digest()

    return sorted(images, key=spread)[:most]


def look_at_tagged(
    predictor: Predictor,
    images: Sequence[TaggedImage],
    palette: NDArray[np.uint8],
    *,
    split: str,
    reading: Reading,
    console: Console,
    regions: RegionsOf | None = None,
) -> Looked:
    """Look at training images; those that cannot be read are left out.

    `regions` are as in `evaluate_segmentation`.
    """
    looked = Looked(len(images))
    for image in _seen(images, split, console):
        try:
            pixels = as_rgb(image.path, reading=reading)
        except InputError:
            continue
        cut = None if regions is None else regions(image.name, pixels)
        ids, confidence = look(predictor, pixels, cut)
        looked.scenes.append(scene_of(image, split, ids, confidence))
        looked.pictures[image.name] = [
            photo(pixels),
            outlined(pixels, ids, palette, "prediction"),
        ]
    return looked


def look_at_masked(
    predictor: Predictor,
    images: Sequence[MaskedImage],
    palette: NDArray[np.uint8],
    *,
    split: str,
    num_classes: int,
    reading: Reading,
    console: Console,
    regions: RegionsOf | None = None,
) -> Looked:
    """Look at images with masks, and score them; those that cannot be read are left out.

    `regions` are as in `evaluate_segmentation`.
    """
    looked = Looked(len(images), tally=Tally(num_classes))
    for image in _seen(images, split, console):
        dataset = EvalDataset([image], num_classes=num_classes, reading=reading)
        try:
            item = dataset[0]
        except InputError:
            continue
        cut = None if regions is None else regions(item.name, item.image)
        ids, confidence = look(predictor, item.image, cut)
        scene = scene_of(image, split, ids, confidence)
        looked.scenes.append(replace(scene, miou=_miou(ids, item.mask, num_classes)))
        assert looked.tally is not None  # it is made above
        looked.tally.add(image.name, ids, item.mask)
        looked.pictures[image.name] = [
            outlined(item.image, ids, palette, "prediction"),
            outlined(item.image, item.mask, palette, "mask"),
        ]
    return looked


def scene_of(
    image: TaggedImage | MaskedImage, split: str, ids: NDArray[np.uint8], confidence: float
) -> Scene:
    """An image with what the model found in it, (H, W) ids."""
    shares, _ = shares_of(ids)
    return Scene(
        name=image.name,
        split=split,
        size=(ids.shape[0], ids.shape[1]),
        tags=image.tags,
        shares=shares,
        confidence=confidence,
    )


def _miou(ids: NDArray[np.uint8], mask: NDArray[np.uint8], num_classes: int) -> float | None:
    matrix = confusion_matrix(ids, mask, num_classes=num_classes)
    return scores_from_confusion(matrix, num_images=1).miou if matrix.sum() > 0 else None


def _seen(images: Sequence[Image], split: str, console: Console) -> Iterator[Image]:
    """The images that are looked at, under a progress bar; nothing is shown where there is none."""
    some = chosen(images)
    if some:
        yield from tracked(in_time(some), f"report: {split}", len(some), console)


def in_time(
    images: Iterable[Image],
    clock: Callable[[], float] = time.monotonic,
    seconds: float = SECONDS,
) -> Iterator[Image]:
    """The images, until the time is over; the first always."""
    start = clock()
    for number, image in enumerate(images):
        if number and clock() - start > seconds:
            return
        yield image
