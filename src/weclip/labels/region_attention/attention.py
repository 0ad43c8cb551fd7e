"""Which patches see each other inside regions, and how much: merging, scope, attention.

Stage 3. Zhang, Liu, Tang, "CorrCLIP", ICCV 2025; constants as in its released code. N patches of
the fine grid, row by row; their guide features are unit rows (N, J).
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from weclip.labels.region_attention.ids import PADDING, numbered


def merge_alike(guide: Tensor, ids: Tensor, none: int | None, *, distance: float) -> Tensor:
    """Give regions whose mean guide features are alike one id.

    Alike are those that a chain of pairs connects, each no farther apart than `distance` (DBSCAN
    with clusters from one sample on). How far is reckoned from the most alike pair, a region and
    itself included, so that it is about 1 - cosine.

    Args:
        guide: (N, J) unit rows.
        ids: (N,) int64.
        none: The id of what is in no region, which stays out; None: there is no such id.
        distance: In [0, 2].

    Returns:
        (N,) int64: `PADDING` + 0, 1, ..., in the order of the first id in each; as given where not
        more than two ids are there.
    """
    present, place = numbered(ids)  # (R,) ascending, (N,)
    if len(present) <= 2:
        return ids
    member = F.one_hot(place, len(present)).to(guide.dtype)  # (N, R)
    means = F.normalize((member.T @ guide) / member.sum(dim=0)[:, None], dim=-1)  # (R, J)
    regions = torch.ones_like(present, dtype=torch.bool) if none is None else present != none
    cosine = means[regions] @ means[regions].T
    component = connected(cosine.max() - cosine <= distance)
    first = PADDING if none is None else max(PADDING, none + 1)
    merged = present.clone()
    merged[regions] = first + numbered(component)[1]
    return merged[place]


def connected(linked: Tensor) -> Tensor:
    """Components of a graph (R, R) bool, symmetric: for each node the first one in its component.

    >>> linked = torch.eye(3, dtype=torch.bool)
    >>> linked[0, 2] = linked[2, 0] = True
    >>> connected(linked).tolist()
    [0, 1, 0]
    """
    count = len(linked)
    first = torch.arange(count, device=linked.device)
    linked = linked | torch.eye(count, dtype=torch.bool, device=linked.device)
    while True:
        spread = torch.where(linked, first, count).amin(dim=1)
        if torch.equal(spread, first):
            return first
        first = spread


def scope(similarity: Tensor, ids: Tensor, none: int | None) -> Tensor:
    """Which patches see each other.

    Those of one region do. Those in no region, and any with them, do where they are more alike than
    all pairs are on the average.

    Args:
        similarity: (N, N) cosines.
        ids: (N,) int64, after merging.
        none: The id of what is in no region; None: there is no such id.

    Returns:
        (N, N) bool, symmetric.
    """
    same = ids[:, None] == ids
    if none is None:
        return same
    outside = ids == none
    either = outside[:, None] | outside
    return torch.where(either, similarity > similarity.mean(), same)


def attention(similarity: Tensor, allowed: Tensor, *, temperature: float) -> Tensor:
    """Softmax over what each patch may see of its similarities times `temperature`.

    Args:
        similarity: (N, N) cosines.
        allowed: (N, N) bool. A patch that may see none sees all alike; the released code has NaN.
        temperature: A factor, above 0.

    Returns:
        (N, N), rows sum to 1.
    """
    scores = (temperature * similarity).masked_fill(~allowed, -torch.inf)
    blind = ~allowed.any(dim=1, keepdim=True)
    return scores.masked_fill(blind, 0.0).softmax(dim=-1)
