"""Doubtful tags: where a user's tags and the scores of a frozen CLIP contradict each other.

Stage 6. A logistic regression of all given tags on CLIP's scores tells how likely a class is tagged
at a score (Platt, "Probabilistic Outputs for Support Vector Machines", 1999); one tag in ten that
is wrong hardly moves it. A tag that CLIP does not see and a class that it sees instead are evidence
for one mistake: their log odds are added.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from math import exp, log

import torch
from torch import Tensor

from weclip.labels.auto_tags import otsu_threshold
from weclip.system.errors import InputError

CONFIDENCE = 0.95
"""Above which a tag is a suspect. On the demo's scenes with 10 % of the tags spoilt seven of ten
suspects are right then (`benchmarks/suspects.py`)."""

_STEPS = 50
_TINY = 1e-9


@dataclass(frozen=True)
class Suspect:
    """One doubt.

    Attributes:
        image: Number of the image.
        tag: Its tag that CLIP does not see, as a 0-based class index; None: a tag is missing.
        seen: The class that CLIP sees and no tag says; None: it sees none instead.
        confidence: In (0, 1], that something is wrong here.
    """

    image: int
    tag: int | None
    seen: int | None
    confidence: float


def find_suspects(scores: Tensor, given: Tensor, confidence: float = CONFIDENCE) -> list[Suspect]:
    """Find the tags that are most likely wrong or missing.

    Args:
        scores: (M, K) scores of the classes by CLIP; NaN where an image was not read.
        given: (M, K) bool, the user's tags.
        confidence: In (0, 1); doubts of less are left out.

    Returns:
        Doubts, worst first.

    Raises:
        InputError: Scores and tags do not agree better than chance, so neither tells of the other.
    """
    readable = ~scores.isnan().any(dim=1)
    rows = readable.nonzero()[:, 0].tolist()
    likely = probability_of_tags(scores[readable].double(), given[readable])
    found = [
        suspect
        for image, p, tags in zip(rows, likely.tolist(), given[readable].tolist(), strict=True)
        for suspect in _doubts(image, p, tags)
        if suspect.confidence > confidence
    ]
    return sorted(found, key=lambda each: -each.confidence)


def probability_of_tags(scores: Tensor, given: Tensor) -> Tensor:
    """(M, K) float64 probability that an image with such a score is tagged with the class.

    Scores of different classes are made comparable first: 0 at Otsu's threshold of a class, and 1
    the distance between the means on both sides of it.
    """
    places = torch.stack([_placed(column) for column in scores.T], dim=1)
    slope, offset = fit_logistic(places.flatten(), given.double().flatten())
    if slope <= 0:
        raise InputError(
            "CLIP's scores and the tags agree no better than chance, so neither tells of the "
            "other; does this CLIP know the classes, by the prompts that it is given?"
        )
    return torch.sigmoid(slope * places + offset)


def _placed(column: Tensor) -> Tensor:
    threshold = otsu_threshold(column)
    above = column > threshold
    if above.all() or not above.any():
        return torch.zeros_like(column)
    return (column - threshold) / (column[above].mean() - column[~above].mean())


def fit_logistic(x: Tensor, y: Tensor) -> tuple[float, float]:
    """Slope and offset of the logistic regression of `y` in [0, 1] on `x`, both (N,) float64."""
    inputs = torch.stack([x, torch.ones_like(x)], dim=1)  # (N, 2)
    weights, ridge = x.new_zeros(2), 1e-3 * torch.eye(2, dtype=x.dtype)
    for _ in range(_STEPS):  # Newton's
        p = torch.sigmoid(inputs @ weights)
        gradient = inputs.T @ (y - p) - ridge @ weights
        hessian = (inputs.T * (p * (1 - p))) @ inputs + ridge
        weights = weights + torch.linalg.solve(hessian, gradient)
    slope, offset = weights.tolist()
    return slope, offset


def _doubts(image: int, likely: Sequence[float], tags: Sequence[bool]) -> list[Suspect]:
    """Tags that CLIP does not see, each with a class that it sees instead, likeliest first."""
    order = sorted(range(len(likely)), key=lambda index: likely[index])
    unseen = [index for index in order if tags[index] and likely[index] < 0.5]
    seen = [index for index in reversed(order) if not tags[index] and likely[index] > 0.5]
    found = []
    for tag, other in zip_longest(unseen, seen):
        odds = 0.0 if tag is None else _log_odds(1 - likely[tag])
        odds += 0.0 if other is None else _log_odds(likely[other])
        found.append(Suspect(image, tag, other, 1 / (1 + exp(-odds))))
    return found


def _log_odds(p: float) -> float:
    p = min(max(p, _TINY), 1 - _TINY)
    return log(p / (1 - p))
