"""Images of a stream that go through the network together.

Stage 6.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from weclip.inference.given_image import ImageLike
from weclip.inference.large.tiles import Large
from weclip.inference.prediction import Prepared
from weclip.system.errors import InputError

PIXELS = 2**21
"""Pixels of a batch at the network's size: eight images of 512 x 512; a larger one goes alone."""


@dataclass(frozen=True)
class Ready:
    """An image that is ready for the network.

    Attributes:
        source: As it was given.
        size: (H, W), its own.
        prepared: As the network sees it.
        pixels: (H, W, 3) uint8 RGB where a CRF will look at it; None otherwise.
        missing: (H, W) bool, where the image has no data; None where it has some everywhere.
    """

    source: ImageLike
    size: tuple[int, int]
    prepared: Prepared
    pixels: NDArray[np.uint8] | None
    missing: NDArray[np.bool_] | None = None


def batches_of(
    images: Iterable[Ready | InputError], most: int
) -> Iterator[list[Ready] | InputError]:
    """Put neighbours of one prepared size together, in order.

    Args:
        images: Images, or what is wrong with one.
        most: How many images a batch holds.

    Yields:
        Batches; and what is wrong with an image, after the batch of those before it.
    """
    batch: list[Ready] = []
    for image in images:
        if batch and (isinstance(image, InputError) or not _fits(image, batch, most)):
            yield batch
            batch = []
        if isinstance(image, InputError):
            yield image
        else:
            batch.append(image)
    if batch:
        yield batch


def _fits(image: Ready, batch: list[Ready], most: int) -> bool:
    own, first = image.prepared, batch[0].prepared
    if isinstance(own, Large) or isinstance(first, Large):
        return False
    pixels = (len(batch) + 1) * own.shape[2] * own.shape[3]
    return len(batch) < most and own.shape == first.shape and pixels <= PIXELS
