"""Numbers of regions on coarser and finer grids, and which of them means "in no region".

Stage 3. An id map holds whole numbers, one region's the same; 0 is a pixel in no region.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from weclip.labels.regions.regions import IN_NONE

PADDING = 10_000
"""Id of what is added beside an image, and the first of merged regions; CorrCLIP, released code.
Where an image has ids as high as this, higher ones are taken."""


def nearest_ids(ids: Tensor, size: tuple[int, int]) -> Tensor:
    """Ids (H, W) at another size: pixel i takes that at `floor(i * in / out)`, as PyTorch does.

    Args:
        ids: (H, W) int64, below 2^53.
        size: (H', W').

    Returns:
        (H', W') int64.
    """
    if tuple(ids.shape) == tuple(size):
        return ids
    return F.interpolate(ids[None, None].double(), size, mode="nearest")[0, 0].to(ids.dtype)


def numbered(ids: Tensor) -> tuple[Tensor, Tensor]:
    """The R ids that are there, ascending (R,), and for each pixel its place in them, as `ids`."""
    present, place = torch.unique(ids, return_inverse=True)
    return present, place


def no_region_id(ids: Tensor, *, least: bool) -> int | None:
    """The id that means "in no region", or None where every pixel is in one.

    Args:
        ids: Ids of any shape, not empty.
        least: The smallest one that is there, as released: without a 0, a region loses its rights.
    """
    smallest = int(ids.min())
    if least:
        return smallest
    return IN_NONE if bool((ids == IN_NONE).any()) else None


def free_id(ids: Tensor) -> int:
    """The first id from `PADDING` on that is above all of `ids`."""
    return max(PADDING, int(ids.max()) + 1)
