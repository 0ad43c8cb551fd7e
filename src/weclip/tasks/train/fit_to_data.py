"""What `auto` stands for in a training: numbers that fit the images and the machine.

Chosen once, when a run starts, by pure functions of a few facts; written as numbers to the run's
`config.yaml` and its checkpoints, and taken from there when the run goes on.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from statistics import median
from typing import Any, cast

import torch

from weclip.config import Config, whole
from weclip.config_file import override
from weclip.data.batch import TaggedImage
from weclip.data.images.crops import shrinking
from weclip.data.images.decoding import DECODE_ERRORS, size_of
from weclip.data.images.listing import AUTO
from weclip.system.distributed import connect
from weclip.system.memory import total_memory

EPOCHS = 8
"""Published for COCO: 80,000 steps of 8 for 82,081 images. VOC's 30,000 of 4 for 10,582 are 11."""

LEAST_STEPS = 300
"""Of a batch of 4: with 50 and 150 images of the demo's world the gain ends at about 250
(docs/training.md)."""

BATCH_SIZE = 4
"""Published for VOC, with the learning rate that is the default here."""

CROP_SIZE = 320
"""Published; a CLIP of 224 pixels sees no more in larger crops."""

LONG_SIDE, LEAST_SIDE = 512, 32
"""Pixels that images are tested at: published for VOC, and the least that is allowed."""

LEAST_PATCHES = 4
"""Of a crop's side: fewer show no object."""

BYTES_PER_PIXEL = 6.2e9 / (4 * 320**2)
"""Of a crop in training; published: 6.2 GB for 4 crops of 320 pixels on a GPU. A CPU needs less."""

WARMUP_STEPS, WARMUP_SHARE = 50, 10
"""Published length of the warm-up, and the part of a short run that it may take: a tenth."""

TESTED = "eval.long_side"
CONFIDENT = "method.weclip_plus.confident_from"

SIZES_READ = 200
"""Images whose size is looked at, spread over the list."""


@dataclass(frozen=True)
class Facts:
    """What the choice depends on.

    Attributes:
        images: Number of training images.
        sizes: Width and height of some of them as they are seen, pixels.
        patch: Side of CLIP's patches, pixels.
        memory: Bytes of the GPU, or of the machine; None if unknown.
        processes: How many share a batch.
    """

    images: int
    sizes: Sequence[tuple[int, int]]
    patch: int
    memory: int | None
    processes: int


def crop_for(sizes: Sequence[tuple[int, int]], patch: int) -> int:
    """Side of the training crop: the median shorter side, in whole patches, at most 320.

    >>> crop_for([(128, 130)], 16), crop_for([(500, 375)], 16), crop_for([], 14)
    (128, 320, 308)
    """
    side = min(CROP_SIZE, int(median(map(min, sizes))) if sizes else CROP_SIZE)
    return max(side // patch, LEAST_PATCHES) * patch


def long_side_for(sizes: Sequence[tuple[int, int]]) -> int:
    """Long side that images are tested at: that of the median image, at most the published 512.

    A decoder that never saw objects enlarged does not know them.

    >>> long_side_for([(128, 96)]), long_side_for([(640, 480)]), long_side_for([(28, 28)])
    (128, 512, 32)
    """
    side = min(LONG_SIDE, int(median(map(max, sizes))) if sizes else LONG_SIDE)
    return max(side, LEAST_SIDE)


def batch_for(memory: int | None, crop: int, processes: int) -> int:
    """Images of a step: 4, or 2 or 1 where half the memory holds no more crops of this side.

    Each process has at least one.

    >>> batch_for(8 * 2**30, 320, 1), batch_for(4 * 2**30, 320, 1), batch_for(None, 320, 8)
    (2, 1, 8)
    """
    fits = BATCH_SIZE if memory is None else memory / 2 / (BYTES_PER_PIXEL * crop**2)
    batch = next((size for size in (BATCH_SIZE, 2) if size <= fits), 1)
    return max(batch, processes)


def steps_for(images: int, batch: int, epochs: float | None = None) -> int:
    """Steps of a training: 8 epochs, as published for COCO, but not less than small sets need.

    Args:
        images: Number of training images.
        batch: Images of a step.
        epochs: How often each image is to be seen, instead.

    >>> steps_for(150, 4), steps_for(10_582, 4), steps_for(82_081, 8), steps_for(150, 4, epochs=2)
    (300, 21164, 82081, 75)
    """
    if epochs is not None:
        return max(1, round(epochs * images / batch))
    return max(round(LEAST_STEPS * BATCH_SIZE / batch), round(EPOCHS * images / batch))


def warmup_for(steps: int) -> int:
    """Steps of the warm-up: the published 50, at most a tenth of the run.

    >>> warmup_for(30_000), warmup_for(300), warmup_for(4)
    (50, 30, 0)
    """
    return min(WARMUP_STEPS, steps // WARMUP_SHARE)


def confident_for(steps: int) -> int:
    """First step whose confident predictions replace labels: after 3/5, as published for VOC.

    >>> confident_for(30_000), confident_for(300)
    (18001, 181)
    """
    return steps * 3 // 5 + 1


def every(steps: int, times: int, most: int) -> int:
    """Steps between two of about `times` events of a run; at most `most`, as published runs have.

    >>> every(300, 10, 1000), every(30_000, 10, 1000), every(4, 10, 1000)
    (30, 1000, 1)
    """
    return max(1, min(most, steps // times))


def choose(config: Config, facts: Facts, before: Mapping[str, object]) -> dict[str, int]:
    """A number for each key of `config` that may be `auto`.

    Args:
        config: What was asked for.
        facts: Images and machine.
        before: What the run that goes on was started with, by dotted key; empty for a new run.

    Returns:
        Dotted key -> number: that given, or else that of before, or else a new choice.
    """

    def pick(key: str, make: Callable[[], int]) -> int:
        given, then = reduce(getattr, key.split("."), cast(Any, config)), before.get(key)
        if given != AUTO:
            return whole(given)
        return then if isinstance(then, int) else make()

    crop = pick("data.crop_size", lambda: crop_for(facts.sizes, facts.patch))
    batch = pick("train.batch_size", lambda: batch_for(facts.memory, crop, facts.processes))
    epochs = config.train.epochs
    steps = pick("train.steps", lambda: steps_for(facts.images, batch, epochs))
    chosen = {"data.crop_size": crop, "train.batch_size": batch}
    chosen["train.steps"] = steps
    if config.eval.long_side is not None and before.get(TESTED, AUTO) is not None:
        chosen[TESTED] = pick(TESTED, lambda: long_side_for(facts.sizes))
    chosen["optim.warmup_steps"] = pick("optim.warmup_steps", lambda: warmup_for(steps))
    chosen[CONFIDENT] = pick(CONFIDENT, lambda: confident_for(steps))
    for name, times, most in (
        ("log_every", 50, 50),
        ("image_every", 10, 1000),
        ("eval_every", 5, 2000),
        ("save_every", 10, 1000),
    ):
        chosen[f"train.{name}"] = pick(f"train.{name}", partial(every, steps, times, most))
    return chosen


def with_numbers(config: Config, chosen: Mapping[str, int]) -> Config:
    """A copy in which these numbers stand, and no epochs beside the steps that they gave."""
    numbers = [f"{key}={value}" for key, value in chosen.items()]
    return override(config, [*numbers, "train.epochs=null"])


def facts_of(images: Sequence[TaggedImage], patch: int, max_side: int | None) -> Facts:
    """What these images, seen at no more than `max_side`, and this machine are."""
    gpu = torch.cuda.is_available()
    memory = torch.cuda.get_device_properties(0).total_memory if gpu else total_memory()
    processes = connect().num_processes
    return Facts(len(images), sizes_of(images, max_side), patch, memory, processes)


def sizes_of(images: Sequence[TaggedImage], max_side: int | None) -> list[tuple[int, int]]:
    """Sizes that images spread over the list are seen at; unreadable ones are left out."""
    sizes = []
    for image in images[:: max(1, len(images) // SIZES_READ)]:
        try:
            width, height = size_of(image.path)
        except DECODE_ERRORS:
            continue
        factor = shrinking((width, height), max_side)
        sizes.append((max(1, int(width * factor)), max(1, int(height * factor))))
    return sizes
