"""Regions that are given of an image's own pixels, as the image is seen: resized, cut, mirrored.

Stage 3. Overlapping masks change as the id map does; nothing is interpolated.
"""

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from numpy.typing import NDArray

from weclip.data.windows import Window
from weclip.labels.region_attention.ids import nearest_ids
from weclip.labels.regions.regions import IN_NONE, Proposals, Regions
from weclip.system.errors import InputError

Change = Callable[[NDArray[Any]], NDArray[Any]]
"""Of an array (..., H, W)."""


class OnlyFiles:
    """Stands where a source of regions would, when they lie in files; it cuts nothing."""

    reads: ClassVar = ()
    saw_human_masks: ClassVar = False

    def __call__(self, image: NDArray[Any], guide: object) -> Regions:
        """There is none.

        Raises:
            InputError: Always.
        """
        raise InputError(
            "regions.files: regions in files go by the names of images, and this image has none "
            "here; weclip predict, evaluate and label read them, or cut images with "
            "regions.files=null regions.source=NAME"
        )


def whole_image(size: tuple[int, int]) -> Regions:
    """An image (H, W) as one region."""
    return Regions(torch.full(size, IN_NONE + 1, dtype=torch.int32).numpy())


def at_size(regions: Regions, size: tuple[int, int]) -> Regions:
    """Regions of an image as it is seen at (H', W'); the nearest pixel is taken."""
    if regions.id_map.shape == size:
        return regions
    rows, columns = (_taken(*each) for each in zip(regions.id_map.shape, size, strict=True))
    return _changed(regions, lambda array: array[..., rows[:, None], columns])


def part_of(regions: Regions, window: Window) -> Regions:
    """Regions of a window of an image."""
    return _changed(regions, lambda array: array[..., window[0], window[1]])


def mirrored(regions: Regions) -> Regions:
    """Regions of the mirrored image."""
    return _changed(regions, lambda array: array[..., ::-1].copy())


def _taken(given: int, wanted: int) -> NDArray[Any]:
    """The row, or column, of `given` that each of `wanted` takes."""
    taken: NDArray[Any] = nearest_ids(torch.arange(given)[None], (1, wanted))[0].numpy()
    return taken


def _changed(regions: Regions, change: Change) -> Regions:
    found = regions.proposals
    masks = None if found is None else Proposals(change(found.masks), found.scores)
    return Regions(change(regions.id_map), masks)
