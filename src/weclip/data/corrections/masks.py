"""Corrected masks for training: handed over by name, looked at before the run, read with the image.

Stage 1. The only way of a mask into training (`data.corrected`).
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from weclip.data.bands import ids_in
from weclip.data.batch import IGNORE_INDEX, TaggedImage
from weclip.data.images.decoding import DECODE_ERRORS, size_of
from weclip.data.images.reading import MAX_PIXELS
from weclip.data.masks.mask_files import read_mask
from weclip.system.errors import InputError


@dataclass(frozen=True)
class CorrectedMasks:
    """Masks that take the place of pseudo-labels.

    Attributes:
        files: Name of an image -> its mask, of class ids.
        weight: For how many images such a one counts in losses that read labels.
        max_pixels: Of the largest mask that is decoded.
    """

    files: Mapping[str, Path]
    weight: float = 1.0
    max_pixels: int = MAX_PIXELS

    def read(self, name: str) -> NDArray[np.uint8] | None:
        """The mask (H, W) of an image; None if it has none.

        Raises:
            InputError: It cannot be read any more.
        """
        path = self.files.get(name)
        return None if path is None else read_mask(path, max_pixels=self.max_pixels)


@dataclass(frozen=True)
class SeenMasks:
    """What a look at all masks gave.

    Attributes:
        shown: Name of an image -> 0-based indices of the classes in its mask.
        digests: Name -> of its mask's size and pixels.
    """

    shown: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Of all masks and their images' names."""
        return hashlib.sha256(json.dumps(sorted(self.digests.items())).encode()).hexdigest()


def look_at_corrected(
    masks: CorrectedMasks, images: Iterable[TaggedImage], num_classes: int
) -> SeenMasks:
    """Read all masks once, before anything depends on them.

    Args:
        masks: The masks.
        images: Images, of which those with a mask are looked at.
        num_classes: C.

    Raises:
        InputError: A mask cannot be read, has an unknown class id, or another size than its image.
    """
    shown, digests = {}, {}
    for image in images:
        path = masks.files.get(image.name)
        if path is None:
            continue
        mask = read_mask(path, num_classes=num_classes, max_pixels=masks.max_pixels)
        require_size(mask, image, path)
        shown[image.name] = tuple(i - 1 for i in ids_in(mask) if i not in (0, IGNORE_INDEX))
        digests[image.name] = digest_of(mask)
    return SeenMasks(shown, digests)


def digest_of(mask: NDArray[np.uint8]) -> str:
    """SHA-256 of a mask's size and pixels, however its file is compressed."""
    return hashlib.sha256(repr(mask.shape).encode() + mask.tobytes()).hexdigest()


def require_size(mask: NDArray[np.uint8], image: TaggedImage, path: Path) -> None:
    """InputError if a mask is not of its image's size; an image that cannot be read has none."""
    try:
        width, height = size_of(image.path)
    except DECODE_ERRORS:
        return
    if mask.shape != (height, width):
        raise InputError(
            f"{path}: the mask is {mask.shape[1]} x {mask.shape[0]} pixels, its image "
            f"{image.path} is {width} x {height}; accept a mask of the image as it is now"
        )
