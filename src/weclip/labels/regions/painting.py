"""Overlapping masks painted into one id map, in a fixed order: later ones win.

Stage 3. Two orders are published: EntitySeg's, where surer masks lie on top, and SAM's, where
larger ones do.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from weclip.labels.regions.regions import IN_NONE, Proposals

LEAST_SCORE = 0.5
"""Masks under it are left out by `by_score`; CorrCLIP and ModuSeg, released code."""


def by_score(proposals: Proposals, least: float = LEAST_SCORE) -> NDArray[np.int32]:
    """(H, W) ids; of masks that overlap the one of the larger score wins (EntitySeg's way).

    Args:
        proposals: The masks; of equal scores the later one wins.
        least: Masks of a smaller score are left out.

    Returns:
        The index of a mask among those that are kept, in their given order, plus 1.
    """
    kept = np.flatnonzero(proposals.scores >= least)
    order = np.argsort(proposals.scores[kept], kind="stable")
    return _painted(proposals.masks[kept], ((place, int(place) + 1) for place in order))


def by_area(proposals: Proposals) -> NDArray[np.int32]:
    """(H, W) ids; of masks that overlap the larger one wins (SAM's way, as CorrCLIP reads it).

    Returns:
        The rank of a mask by its area, the smallest 1; of equal areas the first comes first.
    """
    areas = proposals.masks.sum(axis=(1, 2))
    order = np.argsort(areas, kind="stable")
    return _painted(proposals.masks, ((place, rank) for rank, place in enumerate(order, 1)))


def _painted(masks: NDArray[np.bool_], order: Iterable[tuple[int, int]]) -> NDArray[np.int32]:
    """(H, W) ids of masks (P, H, W), each painted with its id in the given order."""
    id_map = np.full(masks.shape[1:], IN_NONE, np.int32)
    for place, number in order:
        id_map[masks[place]] = number
    return id_map
