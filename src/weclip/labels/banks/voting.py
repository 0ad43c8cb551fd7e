"""Regions named by their nearest neighbours in a bank, and what that says of each pixel.

Stage 3. He, Liu, Zhang, Wei, Tang, "ModuSeg", arXiv 2604.07021; constants as in its released code.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from weclip.labels.banks.region_features import EPS

LEAD = 1e-4
"""What the winner of a tie gets beside its share of the votes, so that shares decide alike."""


def fitting_count(wanted: int, classes: Tensor, share: float) -> int:
    """How many neighbours vote: fewer than wanted where the classes of a bank have few rows.

    Else background, which has a row in nearly every image, would win each vote.

    Args:
        wanted: Neighbours.
        classes: (R,) class ids of the bank's rows.
        share: Of the rows that a class has, the median of all but background.

    >>> fitting_count(25, torch.tensor([0] * 90 + [1] * 8 + [2] * 12), 0.5)
    4
    """
    rows = torch.bincount(classes[classes > 0].long())
    rows = rows[rows > 0]
    return min(wanted, max(1, int(share * rows.median()))) if len(rows) else wanted


@dataclass(frozen=True)
class Votes:
    """What the neighbours of P regions say, for C classes with background.

    Attributes:
        counts: (P, C) votes.
        winner: (P,) the class of each; background where nothing voted.
        scores: (P,) mean similarity of the winner's voters.
    """

    counts: Tensor
    winner: Tensor
    scores: Tensor

    def shares(self) -> Tensor:
        """(P, C) share of the votes, rows sum to 1; the winner's is the greatest."""
        ahead = self.counts + LEAD * F.one_hot(self.winner, self.counts.shape[1])
        return ahead / ahead.sum(dim=1, keepdim=True)


def count_votes(classes: Tensor, similarity: Tensor, num_classes: int) -> Votes:
    """Each neighbour votes for its class. Most votes win.

    A tie goes to the larger sum of similarities, then to the class whose voter is nearest.

    Args:
        classes: (P, k) class ids of the neighbours, nearest first.
        similarity: (P, k), descending.
        num_classes: C.
    """
    if classes.shape[1] == 0:
        nobody = similarity.new_zeros(len(classes), num_classes)
        return Votes(nobody, classes.new_zeros(len(classes)), nobody[:, 0])
    ballot = F.one_hot(classes, num_classes).float()  # (P, k, C)
    counts = ballot.sum(dim=1)  # (P, C)
    sums = torch.einsum("pk,pkc->pc", similarity.float(), ballot)
    most = counts == counts.amax(dim=1, keepdim=True)
    sums = sums.masked_fill(~most | (counts == 0), -torch.inf)
    tied = sums == sums.amax(dim=1, keepdim=True)
    first = ballot.argmax(dim=1).masked_fill(~tied | (counts == 0), classes.shape[1])
    winner = first.argmin(dim=1)
    won = counts.gather(1, winner[:, None])[:, 0]
    score = sums.gather(1, winner[:, None])[:, 0] / won.clamp(min=1)
    empty = won == 0
    return Votes(counts, winner.masked_fill(empty, 0), score.masked_fill(empty, 0.0))


def kept(masks: Tensor, votes: Votes, *, most_overlap: float) -> Tensor:
    """Which regions stay: in each class, one that overlaps a better one too much is dropped.

    Args:
        masks: (P, H, W) bool.
        votes: Of these regions; equal scores keep their order.
        most_overlap: Intersection over union that two of a class may have.

    Returns:
        (P,) bool.
    """
    stays = torch.zeros(len(masks), dtype=torch.bool, device=masks.device)
    for i in votes.scores.argsort(descending=True, stable=True).tolist():
        rivals = (stays & (votes.winner == votes.winner[i])).nonzero()[:, 0].tolist()
        stays[i] = all(overlap(masks[i], masks[j]) <= most_overlap for j in rivals)
    return stays


def overlap(one: Tensor, other: Tensor) -> float:
    """Intersection over union of two masks (H, W)."""
    return float((one & other).sum() / ((one | other).sum() + EPS))


def owners(masks: Tensor, votes: Votes, stays: Tensor) -> Tensor:
    """Which region names each pixel: the best one there that is no background, or else the best.

    Background hides nothing: a pixel in a better region of background still goes to a worse one of
    another class.

    Args:
        masks: (P, H, W) bool.
        votes: Of these regions.
        stays: Of `kept`.

    Returns:
        (H, W) int64, number of the region; -1 where there is none.
    """
    owner = torch.full(masks.shape[1:], -1, dtype=torch.int64, device=masks.device)
    best_first = votes.scores.argsort(descending=True, stable=True)
    ground = votes.winner[best_first] == 0
    for i in torch.cat([best_first[~ground], best_first[ground]]).tolist():
        if stays[i]:
            owner[masks[i] & (owner < 0)] = i
    return owner


def painted(shares: Tensor, owner: Tensor) -> Tensor:
    """Class probabilities of pixels: the shares of their region; background where there is none.

    Args:
        shares: (P, C) of `Votes.shares`.
        owner: (H, W) int64; -1 is no region.

    Returns:
        (C, H, W).
    """
    nothing = torch.zeros(1, shares.shape[1], device=shares.device)
    nothing[0, 0] = 1
    return torch.cat([shares, nothing])[owner].permute(2, 0, 1)
