"""Predict a stream of images while the next are read and the CRF refines the last.

Stage 6.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from weclip.inference.prediction import (
    Crf,
    Prediction,
    Predicts,
    Prepared,
    beside,
    prepared_size,
    refined_label_map,
    refined_prediction,
)
from weclip.inference.stream.batches import in_batches
from weclip.inference.stream.beside import in_processes, read_ahead

if TYPE_CHECKING:
    from weclip.labels.regions.regions import Regions

Key = TypeVar("Key")
Result = TypeVar("Result")
Image = NDArray[np.uint8]
Logits = NDArray[np.float32]


def predict_stream(
    predictor: Predicts,
    images: Iterable[tuple[Key, Image]],
    *,
    regions: "Callable[[Key, Image], Regions] | None" = None,
    processes: int | None = None,
) -> Iterator[tuple[Key, Image]]:
    """Segment images in order, those of one size together.

    Args:
        predictor: The model with its test protocol.
        images: Pairs of anything and an image (H, W, 3) uint8, RGB.
        regions: Gives those of a pair, for a model that reads regions in files; None: for others.
        processes: How many refine by the CRF beside the model; None for one per core.

    Yields:
        The first of each pair, and its label map (H, W) uint8.
    """
    scored = _logits(predictor, images, regions)
    yield from _stream(predictor, scored, predictor.label_map, refined_label_map, processes)


def confident_stream(
    predictor: Predicts,
    images: Iterable[tuple[Key, Image]],
    *,
    regions: "Callable[[Key, Image], Regions] | None" = None,
    processes: int | None = None,
) -> Iterator[tuple[Key, Prediction]]:
    """As `predict_stream`, with the confidence of each pixel."""
    scored = _logits(predictor, images, regions)
    yield from _stream(predictor, scored, predictor.confident, refined_prediction, processes)


def _stream(
    predictor: Predicts,
    scored: Iterable[tuple[Key, Image, Logits]],
    finish: Callable[[Logits, tuple[int, int]], Result],
    refine: Callable[[Crf, Image, NDArray[np.float32]], Result],
    processes: int | None,
) -> Iterator[tuple[Key, Result]]:
    """Results in order: `finish` gives them of logits, or with a CRF `refine` of probabilities."""
    crf = predictor.crf
    if crf is None:
        for key, image, logits in scored:
            yield key, finish(logits, (image.shape[0], image.shape[1]))
        return
    calls = (
        (key, partial(refine, crf, image, predictor.softmax(logits, (len(image), image.shape[1]))))
        for key, image, logits in scored
    )
    yield from in_processes(calls, processes)


def _logits(
    predictor: Predicts,
    images: Iterable[tuple[Key, Image]],
    regions: "Callable[[Key, Image], Regions] | None",
) -> Iterator[tuple[Key, Image, Logits]]:
    """Logits (C, h, w) of images in order, of which the next are prepared meanwhile."""

    def prepare(pair: tuple[Key, Image]) -> Prepared:
        return beside(predictor.prepare(pair[1]), None if regions is None else regions(*pair))

    prepared = read_ahead(images, prepare)
    batched = in_batches(
        prepared,
        lambda batch: predictor.logits([each for _, each in batch]),
        size_of=lambda item: prepared_size(item[1]),
        pixels=predictor.batch_pixels,
    )
    for ((key, image), _), logits in batched:
        yield key, image, logits
