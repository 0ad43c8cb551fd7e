"""Regions that touch are merged, the most alike first (Ward's criterion on a map of regions).

Stage 3. Two regions cost what the variance of their features grows by when they become one; the
cheapest two are merged until none costs less than a limit. Ward, "Hierarchical Grouping to Optimize
an Objective Function", 1963.
"""

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int32]
Features = NDArray[np.float64]


def mean_features(features: NDArray[np.floating], ids: Ids) -> Features:
    """(R, D) means of pixels' features (H, W, D) over regions with the numbers 0 to R-1 (H, W)."""
    flat = ids.ravel()
    order = np.argsort(flat, kind="stable")
    starts = np.flatnonzero(np.diff(flat[order], prepend=-1))
    rows = features.reshape(flat.size, -1)[order].astype(np.float64)
    return np.add.reduceat(rows, starts, axis=0) / np.bincount(flat)[:, None]


def touching(ids: Ids) -> NDArray[np.bool_]:
    """(R, R) whether two different regions have pixels beside or above each other."""
    count = int(ids.max()) + 1
    found = np.zeros((count, count), np.bool_)
    for one, other in ((ids[:, 1:], ids[:, :-1]), (ids[1:], ids[:-1])):
        found[one, other] = True
    found |= found.T
    np.fill_diagonal(found, val=False)
    return found


def merge_alike(ids: Ids, features: Features, limit: float) -> Ids:
    """(H, W) numbers of merged regions, 0, 1, ... in the order of the first that is in each.

    Args:
        ids: (H, W) numbers from 0 to R-1, each of which is there.
        features: (R, D) of the regions.
        limit: Two regions with the shares a and b of the pixels merge while a b / (a + b) times
            the squared distance of their features is at most this.
    """
    merging = _Merging(ids, features)
    while merging.cheapest() <= limit:
        merging.merge()
    return np.unique(merging.into[ids], return_inverse=True)[1].reshape(ids.shape).astype(np.int32)


class _Merging:
    """The regions that are left, and what merging two of them costs.

    Args:
        ids: As in `merge_alike`, and so `features`.
    """

    def __init__(self, ids: Ids, features: Features) -> None:
        self.into = np.arange(len(features))
        self._share = np.bincount(ids.ravel()) / ids.size
        self._features = features.copy()
        self._touch = touching(ids)
        self._costs = np.stack([self._costs_of(row) for row in range(len(features))])

    def _costs_of(self, row: int) -> NDArray[np.float64]:
        one, shares = self._share[row], self._share
        together = np.maximum(one + shares, np.finfo(float).tiny)
        apart = ((self._features - self._features[row]) ** 2).sum(axis=1)
        return np.where(self._touch[row], one * shares / together * apart, np.inf)

    def cheapest(self) -> float:
        """What the next merge costs; infinity where no two regions touch."""
        return float(self._costs.min(initial=np.inf))

    def merge(self) -> None:
        """Merge the two that cost least; of equal ones the first."""
        keep, gone = sorted(divmod(int(self._costs.argmin()), len(self._costs)))
        shares = self._share[[keep, gone]]
        self._features[keep] = shares @ self._features[[keep, gone]] / shares.sum()
        self._share[keep], self._share[gone] = shares.sum(), 0
        self._touch[keep] |= self._touch[gone]
        self._touch[gone], self._touch[:, gone], self._touch[keep, keep] = False, False, False
        self._touch[:, keep] = self._touch[keep]
        self.into[self.into == gone] = keep
        self._costs[gone], self._costs[:, gone] = np.inf, np.inf
        self._costs[keep] = self._costs[:, keep] = self._costs_of(keep)
