"""The nearest rows of a bank: exact, in chunks, the same every time.

Stage 3.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

CHUNK = 16_384
"""Rows that are compared at once; more do not fit into caches (benchmarks/bank.py)."""


@torch.no_grad()
def nearest(
    keys: Tensor, queries: Tensor, count: int, left_out: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The rows that are most alike, most alike first; of equal ones the earlier row.

    Args:
        keys: (R, J) unit rows, of any type.
        queries: (P, J) unit rows.
        count: How many are wanted; fewer are found where there are fewer.
        left_out: (R,) bool, rows that are not there for these queries; None: all are.

    Returns:
        Rows (P, k) int64, and their cosines (P, k) float32.
    """
    there = len(keys) if left_out is None else int((~left_out).sum())
    count = min(count, there)
    rows = torch.empty(len(queries), 0, dtype=torch.int64, device=keys.device)
    cosines = torch.empty(len(queries), 0, device=keys.device)
    for start in range(0, len(keys), CHUNK):
        found = queries.float() @ keys[start : start + CHUNK].float().T  # (P, chunk)
        if left_out is not None:
            found[:, left_out[start : start + CHUNK]] = -torch.inf
        best, place = _best(found, count)
        rows, cosines = torch.cat([rows, place + start], 1), torch.cat([cosines, best], 1)
        cosines, order = _best(cosines, count)
        rows = rows.gather(1, order)
    return rows, cosines


def of_classes(classes: Tensor, allowed: Sequence[int]) -> Tensor:
    """(R,) bool, which rows with class ids (R,) are of a class that is allowed."""
    wanted = torch.tensor(list(allowed), dtype=classes.dtype, device=classes.device)
    return torch.isin(classes, wanted)


def _best(values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The greatest of each row (P, n), descending, and where they are; equal ones in order.

    `topk` alone takes any of those that are equal to the last one.
    """
    count = min(count, values.shape[1])
    if count == 0 or len(values) == 0:
        return values[:, :0], torch.empty(len(values), 0, dtype=torch.int64, device=values.device)
    least = values.topk(count, dim=1).values[:, -1:]
    places = [_descending(row, floor, count) for row, floor in zip(values, least, strict=True)]
    place = torch.stack(places)
    return values.gather(1, place), place


def _descending(row: Tensor, least: Tensor, count: int) -> Tensor:
    """Places of the `count` greatest of a row (n,), none of which is below `least`."""
    place = (row >= least).nonzero()[:, 0]
    order = row[place].argsort(descending=True, stable=True)[:count]
    return place[order]
