"""What is to be known of one image file and its mask, read on all cores.

Stage 1, for `findings.py`. Files are read by the functions that training and evaluation use, so
that what is accepted here is accepted there. No process imports PyTorch.
"""

import hashlib
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from weclip.data.bands import ids_in
from weclip.data.batch import MaskedImage
from weclip.data.images.decoding import (
    grey_of,
    open_image,
    orientation,
    raster_of,
    require_file,
    to_rgb,
)
from weclip.data.images.reading import PLAIN, Reading
from weclip.data.masks.mask_files import class_ids, read_pixels
from weclip.system.errors import InputError
from weclip.system.processes import cores, interrupts_wait, leave_interrupts_to_the_parent

ProblemKind = Literal[
    "unreadable_images", "unreadable_masks", "unknown_mask_ids", "wrong_mask_sizes"
]
HELD_BYTES = 2**28
"""A larger file is not read into memory as a whole: it may be sparse, and have no end in sight."""
CHUNK = 16
"""Files that a process takes at once: few enough to share them evenly, enough to talk little."""


@dataclass(frozen=True)
class FileFacts:
    """One image file and its mask.

    Attributes:
        size: (W, H) in pixels as training sees the image; None if it cannot be read.
        turned: Whether the file's EXIF orientation turns or mirrors the image.
        digest: Hash of the file's bytes; empty if they cannot be read.
        dark: Whether it is 16-bit grey with all values under 256, of which nothing is kept.
        complaint: The first thing that Pillow warns about in the image, or empty.
        problems: What evaluation or training would refuse: kind and message.
        mask_ids: Class ids in its mask; None if there is none, or it has no meaning.
    """

    size: tuple[int, int] | None
    turned: bool
    digest: bytes
    dark: bool
    complaint: str
    problems: tuple[tuple[ProblemKind, str], ...]
    mask_ids: frozenset[int] | None = None


def read_facts(
    image: Path, masked: MaskedImage | None, *, num_classes: int, reading: Reading = PLAIN
) -> FileFacts:
    """Read an image, and its mask where there is one, once.

    Args:
        image: Image file.
        masked: The image with its mask, or None.
        num_classes: C; mask ids must be below it or 255.
        reading: How images are read; its `max_pixels` counts for masks too.
    """
    problems: list[tuple[ProblemKind, str]] = []
    sizes: set[tuple[int, int]] = set()
    size, turned, digest, dark, mask_ids = None, False, b"", False, None
    with warnings.catch_warnings(record=True) as complaints:
        warnings.simplefilter("always")
        try:
            content, digest = _content_and_digest(image)
            bands = raster_of(image, reading)
            if bands is not None:
                size = (bands.shape[1], bands.shape[0])
                sizes = {size}
            else:
                with open_image(image, content, max_pixels=reading.max_pixels) as opened:
                    turned = orientation(opened) != 1
                    size = to_rgb(opened).size
                    sizes = {size, opened.size}  # evaluation lets the mask say which way is up
                    dark = opened.mode.startswith("I") and _is_dark(grey_of(opened))
        except InputError as error:
            problems.append(("unreadable_images", str(error)))
        except OSError as error:
            problems.append(("unreadable_images", f"{image}: cannot be read ({error.strerror})"))
        complaint = " ".join(str(complaints[0].message).split()) if complaints else ""
        if masked is not None:
            found, mask_ids = _read_mask(masked, sizes, num_classes, reading.max_pixels)
            problems += found
    return FileFacts(size, turned, digest, dark, complaint, tuple(problems), mask_ids)


def _content_and_digest(image: Path) -> tuple[bytes | None, bytes]:
    """A file's bytes, none of one that is too large to be held, and their hash."""
    size = require_file(image)
    with image.open("rb") as file:
        content = file.read() if size <= HELD_BYTES else None
        if content is not None:
            return content, hashlib.blake2b(content, digest_size=16).digest()
        digest = hashlib.blake2b(digest_size=16)
        while part := file.read(2**20):
            digest.update(part)
        return None, digest.digest()


def _read_mask(
    sample: MaskedImage, sizes: set[tuple[int, int]], num_classes: int, max_pixels: int
) -> tuple[list[tuple[ProblemKind, str]], frozenset[int] | None]:
    """What is wrong with a mask, whose size must be one of the image's (any, if there is none).

    Returns:
        The problems, and the class ids in it, if they have a meaning.
    """
    path, found, ids = sample.mask, list[tuple[ProblemKind, str]](), None
    try:
        pixels = read_pixels(path, sample.labels, max_pixels=max_pixels)
    except InputError as error:
        return [("unreadable_masks", str(error))], None
    try:
        mask = class_ids(pixels, path, labels=sample.labels, num_classes=num_classes)
        ids = frozenset(ids_in(mask))
    except InputError as error:
        found.append(("unknown_mask_ids", str(error)))
    height, width = pixels.shape
    if sizes and (width, height) not in sizes:
        allowed = " or ".join(f"{w} x {h}" for w, h in sorted(sizes))
        text = f"{path}: mask is {width} x {height} but {sample.path} is {allowed}"
        found.append(("wrong_mask_sizes", text))
    return found, ids


def _is_dark(grey: npt.NDArray[np.integer]) -> bool:
    return int(grey.max()) in range(1, 256)


@contextmanager
def facts_of(
    files: Sequence[tuple[Path, MaskedImage | None]],
    *,
    num_classes: int,
    reading: Reading = PLAIN,
    processes: int | None = None,
) -> Iterator[Iterator[FileFacts]]:
    """Read many files in parallel; processes run before the block begins and end with it.

    Args:
        files: Image files, each with its sample that has a mask, or None.
        num_classes: C; mask ids must be below it or 255.
        reading: How images are read; its `max_pixels` counts for masks too.
        processes: How many read; as many as there are cores, or as few as are worth starting.

    Yields:
        An iterator of the facts, in the order of `files`.

    Raises:
        InputError: A process was killed.
    """
    count = processes or min(cores(), -(-len(files) // CHUNK))
    read = partial(_read_pair, num_classes=num_classes, reading=reading)
    if count <= 1:
        yield map(read, files)
        return
    executor = ProcessPoolExecutor(count, initializer=leave_interrupts_to_the_parent)
    try:
        with interrupts_wait():  # the processes begin with the first call
            facts = executor.map(read, files, chunksize=CHUNK)
        yield facts
    except BrokenProcessPool:
        raise InputError(
            "a process that read images was killed, perhaps for want of memory: "
            "is there an image of gigapixels?"
        ) from None
    finally:
        executor.shutdown(cancel_futures=True)


def _read_pair(
    pair: tuple[Path, MaskedImage | None], num_classes: int, reading: Reading
) -> FileFacts:
    return read_facts(*pair, num_classes=num_classes, reading=reading)
