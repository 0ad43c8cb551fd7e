"""Full images with their masks, for evaluation; training never imports this module.

Stage 1, read by stage 6.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader, Dataset

from weclip.data.batch import MaskedImage
from weclip.data.images.decoding import read_rgb
from weclip.data.images.reading import PLAIN, Reading
from weclip.data.masks.mask_files import read_mask
from weclip.data.worker_errors import ErrorsAsItems, raise_errors, start_worker
from weclip.system.errors import InputError


class EvalItem(NamedTuple):
    """One full image for evaluation.

    Attributes:
        name: Sample name.
        image: (H, W, 3) uint8, RGB.
        mask: (H, W) uint8 class ids, 255 is ignored.
        tags: Sorted 0-based class indices, None where the data set has none.
    """

    name: str
    image: npt.NDArray[np.uint8]
    mask: npt.NDArray[np.uint8]
    tags: tuple[int, ...] | None


class EvalDataset(Dataset[EvalItem]):
    """Full images with their masks, in order."""

    def __init__(
        self, samples: Sequence[MaskedImage], *, num_classes: int, reading: Reading = PLAIN
    ) -> None:
        self.samples = samples
        self.num_classes = num_classes
        self.reading = reading

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> EvalItem:
        """Return one sample; InputError if image and mask do not fit each other."""
        sample = self.samples[index]
        limit = self.reading.max_pixels
        mask = read_mask(
            sample.mask, labels=sample.labels, num_classes=self.num_classes, max_pixels=limit
        )
        image = read_rgb(sample.path, reading=self.reading)
        if image.shape[:2] != mask.shape:
            # The mask says which way is up: some masks were drawn without regard to EXIF.
            image = read_rgb(sample.path, orient=False, reading=self.reading)
        if image.shape[:2] != mask.shape:
            raise InputError(
                f"{sample.mask}: mask is {_size(mask)} but its image {sample.path} is "
                f"{_size(image)} (width x height); they must be equal"
            )
        return EvalItem(sample.name, image, mask, sample.tags)


def full_images(
    samples: Sequence[MaskedImage],
    *,
    num_classes: int,
    workers: int = 0,
    reading: Reading = PLAIN,
) -> Iterator[EvalItem]:
    """Yield all samples once, in order.

    Args:
        samples: In order; none where there are more processes than images.
        num_classes: C; mask ids must be below it or 255.
        workers: Worker processes that read ahead; 0 reads in this one.
        reading: How images are read.

    Raises:
        InputError: One cannot be read.
    """
    loader = DataLoader(
        ErrorsAsItems(EvalDataset(samples, num_classes=num_classes, reading=reading)),
        batch_size=None,
        num_workers=workers,
        collate_fn=_unchanged,
        worker_init_fn=start_worker,
        generator=torch.Generator(),  # else starting would draw from the global generator
    )
    yield from raise_errors(loader)


def _unchanged(item: Any) -> Any:
    return item


def _size(array: npt.NDArray[np.uint8]) -> str:
    return f"{array.shape[1]} x {array.shape[0]}"
