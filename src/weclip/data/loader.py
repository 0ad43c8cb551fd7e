"""The end of stage 1: images are decoded, cropped and collated to batches.

Training is an endless stream of batches, a pure function of (seed, step): worker count, process
count and interruptions cannot change it. Nothing here draws from a global random generator.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from weclip.data.batch import Batch, Share, TaggedImage
from weclip.data.batches.collate import Collate, Sample
from weclip.data.batches.sampler import StepSampler, rows_of
from weclip.data.classes import ClassList
from weclip.data.corrections.masks import CorrectedMasks
from weclip.data.images.crops import Augmentation, random_crop
from weclip.data.images.decoding import read_image
from weclip.data.worker_errors import ErrorsAsItems, raise_errors, start_worker
from weclip.system.errors import InputError

STAND_INS = 10
"""How many images after an unreadable one are tried in its place."""

ReadImage = Callable[[Path], Image.Image]
ReadRegions = Callable[[TaggedImage, tuple[int, int]], NDArray[np.int32]]
"""An image and its size (H, W) -> (H, W) numbers of its regions, 0 for none."""


class CropDataset(Dataset[Sample]):
    """Random crops of tagged images; a key is (epoch, index), which fixes all randomness.

    Args:
        samples: The images.
        augmentation: How a crop is drawn.
        seed: Not negative; decides order and crops.
        read: Reads an image file as RGB.
        corrected: Masks that were handed over by name; None: no mask is opened.
        regions: Reads the numbers of an image's regions; None: nothing does.
    """

    def __init__(
        self,
        samples: Sequence[TaggedImage],
        augmentation: Augmentation,
        *,
        seed: int,
        read: ReadImage = read_image,
        corrected: CorrectedMasks | None = None,
        regions: ReadRegions | None = None,
    ) -> None:
        self.samples = samples
        self.augmentation = augmentation
        self.seed = seed
        self.read = read
        self.corrected = corrected
        self.regions = regions

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, key: tuple[int, int]) -> Sample:
        """Decode and crop a sample, or the next one that can be read.

        Raises:
            InputError: Nor can any of the next `STAND_INS`.
        """
        epoch, index = key
        rng = np.random.default_rng((self.seed, epoch, index))
        unreadable: list[str] = []
        for offset in range(1 + STAND_INS):
            sample = self.samples[(index + offset) % len(self.samples)]
            try:
                image = self.read(sample.path)
            except InputError as error:
                unreadable.append(str(error))
                continue
            mask = None if self.corrected is None else self.corrected.read(sample.name)
            size = (image.height, image.width)
            regions = None if self.regions is None else self.regions(sample, size)
            crop = random_crop(image, self.augmentation, rng, mask, regions)
            return Sample(crop, sample.tags, sample.name, tuple(unreadable))
        raise InputError(f"{unreadable[0]}; nor can {STAND_INS} further images of the list be read")


class TrainLoader:
    """Training batches; iterating starts at step 0, `batches` anywhere.

    Attributes:
        unreadable: What was wrong with the images that could not be read so far, each once.
    """

    def __init__(
        self,
        dataset: CropDataset,
        *,
        num_tags: int,
        batch_size: int,
        workers: int,
        max_unreadable: float,
    ) -> None:
        self.dataset = dataset
        masks = dataset.corrected
        self.collate = Collate(num_tags, None if masks is None else masks.weight)
        self.batch_size = batch_size
        self.workers = workers
        self.max_unreadable = max_unreadable
        self.unreadable: list[str] = []

    def __iter__(self) -> Iterator[Batch]:
        return self.batches()

    def batches(
        self,
        *,
        start_step: int = 0,
        process_index: int = 0,
        process_count: int = 1,
        pinned: bool = False,
        report: Callable[[str], object] = lambda message: None,
    ) -> Iterator[Batch]:
        """The batches of the steps from `start_step` on, endlessly.

        Args:
            start_step: First step: a resumed run continues the very same sequence.
            process_index: Rank of this process among those that share each batch.
            process_count: How many processes there are; at most `batch_size`.
            pinned: Whether batches lie in pinned memory, from which a GPU copies without a wait.
            report: Told once of every image that is skipped because it cannot be read.

        Raises:
            InputError: At once where there are more processes than images in a batch; later where
                more images cannot be read than `max_unreadable` allows.
        """
        rows = rows_of(process_index, process_count, self.batch_size)
        sampler = StepSampler(
            len(self.dataset),
            batch_size=self.batch_size,
            seed=self.dataset.seed,
            start_step=start_step,
            rows=rows,
        )
        loader = DataLoader(
            ErrorsAsItems(self.dataset),
            batch_sampler=sampler,
            num_workers=self.workers,
            collate_fn=self.collate,
            worker_init_fn=start_worker,
            pin_memory=pinned,
            generator=torch.Generator(),  # else starting would draw from the global generator
        )
        return self._stream(loader, Share(rows.start, self.batch_size), report)

    def _stream(
        self,
        loader: Iterable[tuple[Batch, tuple[str, ...]] | InputError],
        share: Share,
        report: Callable[[str], object],
    ) -> Iterator[Batch]:
        for batch, unreadable in raise_errors(loader):
            self._note(unreadable, report)
            yield replace(batch, share=share)

    def _note(self, messages: Iterable[str], report: Callable[[str], object]) -> None:
        """Count unreadable images; InputError where they are too many."""
        for message in messages:
            if message in self.unreadable:
                continue
            self.unreadable.append(message)
            count, total = len(self.unreadable), len(self.dataset)
            if count > self.max_unreadable * total:
                raise InputError(
                    f"{message}; {count} of {total} training images cannot be read, "
                    f"more than data.max_unreadable={self.max_unreadable} allows"
                )
            report(message)


def train_loader(
    dataset: CropDataset,
    *,
    classes: ClassList,
    batch_size: int,
    workers: int,
    max_unreadable: float = 0.0,
) -> TrainLoader:
    """Build the endless, shuffled, reproducible stream of training batches.

    Args:
        dataset: Crops of at least one image; fewer than a batch are repeated, each cropped anew.
        classes: The class list of the tags.
        batch_size: Images per batch, of all processes together.
        workers: Worker processes; 0 loads in this one. Does not change the batches.
        max_unreadable: Share of the images that may be skipped because they cannot be read.

    Raises:
        InputError: There are no images.
    """
    if not len(dataset):
        raise InputError("no training images: the split is empty; choose another data.train_split")
    return TrainLoader(
        dataset,
        num_tags=len(classes.names),
        batch_size=batch_size,
        workers=workers,
        max_unreadable=max_unreadable,
    )
