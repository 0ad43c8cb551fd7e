"""The end of stage 1: images are decoded, cropped and collated to batches.

Training is an endless stream of batches, a pure function of (seed, step): worker count, process
count and interruptions cannot change it. Nothing here draws from a global random generator.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, Sampler

from weclip.data.batch import Batch, Share, TaggedImage
from weclip.data.classes import ClassList
from weclip.data.images.crops import Augmentation, Crop, random_crop
from weclip.data.images.decoding import read_image
from weclip.data.worker_errors import ErrorsAsItems, raise_errors, start_worker
from weclip.system.errors import InputError

STAND_INS = 10
"""How many images after an unreadable one are tried in its place."""

ReadImage = Callable[[Path], Image.Image]


class _Sample(NamedTuple):
    """One training sample before collation."""

    crop: Crop
    tags: tuple[int, ...]
    name: str
    unreadable: tuple[str, ...]  # what was wrong with images that this one stands in for


class CropDataset(Dataset[_Sample]):
    """Random crops of tagged images; a key is (epoch, index), which fixes all randomness."""

    def __init__(
        self,
        samples: Sequence[TaggedImage],
        augmentation: Augmentation,
        *,
        seed: int,
        read: ReadImage = read_image,
    ) -> None:
        self.samples = samples
        self.augmentation = augmentation
        self.seed = seed
        self.read = read

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, key: tuple[int, int]) -> _Sample:
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
            crop = random_crop(image, self.augmentation, rng)
            return _Sample(crop, sample.tags, sample.name, tuple(unreadable))
        raise InputError(f"{unreadable[0]}; nor can {STAND_INS} further images of the list be read")


class StepSampler(Sampler[list[tuple[int, int]]]):
    """Keys of the batches from `start_step` on, endlessly; shuffled epochs joined end to end.

    Every batch is full; one that spans two epochs may hold an image twice. Step s takes the
    samples s * batch_size on of the stream, and each process its share of them.
    """

    def __init__(
        self,
        num_samples: int,
        *,
        batch_size: int,
        seed: int,
        start_step: int = 0,
        rows: range | None = None,
    ) -> None:
        self.num_samples = num_samples
        self.batch_size = batch_size
        self.seed = seed
        self.start_step = start_step
        self.rows = range(batch_size) if rows is None else rows

    def batch(self, step: int) -> list[tuple[int, int]]:
        """Return the (epoch, index) keys of `rows` of the batch of `step`."""
        keys = []
        for position in (step * self.batch_size + row for row in self.rows):
            epoch, offset = divmod(position, self.num_samples)
            keys.append((epoch, int(_epoch_order(self.seed, epoch, self.num_samples)[offset])))
        return keys

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        step = self.start_step
        while True:
            yield self.batch(step)
            step += 1


def rows_of(process_index: int, process_count: int, batch_size: int) -> range:
    """Which of a batch's images a process takes: as equal parts as can be, none empty.

    Raises:
        InputError: There are more processes than images.

    >>> [list(rows_of(index, 3, 8)) for index in range(3)]
    [[0, 1], [2, 3, 4], [5, 6, 7]]
    """
    if process_count > batch_size:
        raise InputError(
            f"train.batch_size={batch_size} is too small for {process_count} processes, which "
            "share it; raise it, or start fewer"
        )
    edges = [index * batch_size // process_count for index in (process_index, process_index + 1)]
    return range(*edges)


@lru_cache(maxsize=4)
def _epoch_order(seed: int, epoch: int, num_samples: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng((seed, epoch)).permutation(num_samples)


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
        self.collate = _Collate(num_tags)
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
    samples: Sequence[TaggedImage],
    *,
    classes: ClassList,
    augmentation: Augmentation,
    batch_size: int,
    workers: int,
    seed: int,
    read: ReadImage = read_image,
    max_unreadable: float = 0.0,
) -> TrainLoader:
    """Build the endless, shuffled, reproducible stream of training batches.

    Args:
        samples: At least one; fewer than a batch are repeated, each time cropped anew.
        classes: The class list of the tags.
        augmentation: How a crop is drawn.
        batch_size: Images per batch, of all processes together.
        workers: Worker processes; 0 loads in this one. Does not change the batches.
        seed: Not negative; decides order and crops.
        read: Reads an image file as RGB.
        max_unreadable: Share of the images that may be skipped because they cannot be read.

    Raises:
        InputError: There are no samples.
    """
    if not samples:
        raise InputError("no training images: the split is empty; choose another data.train_split")
    dataset = CropDataset(samples, augmentation, seed=seed, read=read)
    return TrainLoader(
        dataset,
        num_tags=len(classes.names),
        batch_size=batch_size,
        workers=workers,
        max_unreadable=max_unreadable,
    )


class _Collate:
    """Stack samples to a `Batch` beside what could not be read, or pass on the first error."""

    def __init__(self, num_tags: int) -> None:
        self.num_tags = num_tags

    def __call__(
        self, samples: list[_Sample | InputError]
    ) -> tuple[Batch, tuple[str, ...]] | InputError:
        good = []
        for sample in samples:
            if isinstance(sample, InputError):
                return sample
            good.append(sample)
        images = np.stack([sample.crop.image for sample in good])  # (B, H, W, 3)
        tags = torch.zeros(len(good), self.num_tags, dtype=torch.bool)
        for row, sample in zip(tags, good, strict=True):
            row[list(sample.tags)] = True
        batch = Batch(
            image=torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(),  # (B, 3, H, W)
            tags=tags,
            content_box=torch.tensor([sample.crop.content_box for sample in good]),
            names=tuple(sample.name for sample in good),
        )
        return batch, tuple(message for sample in good for message in sample.unreadable)
