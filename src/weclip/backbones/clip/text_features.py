"""What CLIP makes of a class list's texts, and how several texts of a class become one feature.

Stage 2.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

ROUNDS = 100
"""Of k-means at most; it ends where nothing moves."""


@dataclass(frozen=True)
class TextFeatures:
    """Frozen text features of a class list.

    Attributes:
        classes: (C-1, J) unit rows.
        background: (G, J) unit rows.
        scale: CLIP's temperature, the exponential of its `logit_scale`.
    """

    classes: Tensor
    background: Tensor
    scale: float


def text_probabilities(embedding: Tensor, text: Tensor, scale: float) -> Tensor:
    """Softmax over all texts, of classes and background words together.

    Args:
        embedding: (..., J) of unit length.
        text: (M, J) of unit length.
        scale: CLIP's temperature.

    Returns:
        (..., M), summing to 1.
    """
    return (scale * embedding.float() @ text.float().T).softmax(dim=-1)


def mean_unit(features: Tensor) -> Tensor:
    """(J,) mean of unit rows (P, J), made unit again; a single row stays what it is.

    Prompt ensembling; Radford et al. 2021, section 3.1.4.
    """
    return features[0] if len(features) == 1 else F.normalize(features.mean(dim=0), dim=-1)


def enrich(classes: Tensor, descriptions: Tensor, *, share: float, weight: float) -> Tensor:
    """Add to each class those descriptions, of any class, that are most like it.

    Text semantic enrichment of ExCEL (Yang et al., CVPR 2025, section 3.2): the softmax over the
    cosines of the most similar ones weighs them.

    Args:
        classes: (C-1, J) unit rows.
        descriptions: (A, J), or their cluster centres.
        share: Of the descriptions that take part; the least similar do not.
        weight: Of their mean, beside the class's own feature.

    Returns:
        (C-1, J) unit rows.
    """
    cosine = classes @ descriptions.T  # (C-1, A)
    left_out = min(int((1 - share) * len(descriptions)), len(descriptions) - 1)
    if left_out:
        least = cosine.topk(left_out, dim=1, largest=False).indices
        cosine = cosine.scatter(1, least, -torch.inf)
    mean = cosine.softmax(dim=1) @ descriptions
    return F.normalize(classes + weight * mean, dim=-1)


def cluster(rows: Tensor, count: int) -> Tensor:
    """Centres (count, J) of k-means on (A, J), always the same; the rows where there are no more.

    Lloyd's rounds from seeds that k-means++ draws; a centre that nothing is nearest to stays.
    """
    if count >= len(rows):
        return rows
    points = rows.double()
    centres = _spread_seeds(points, count)
    for _ in range(ROUNDS):
        nearest = torch.cdist(points, centres).argmin(dim=1)
        sizes = torch.bincount(nearest, minlength=count)[:, None]
        sums = torch.zeros_like(centres).index_add_(0, nearest, points)
        moved = torch.where(sizes > 0, sums / sizes.clamp(min=1), centres)
        if torch.equal(moved, centres):
            break
        centres = moved
    return centres.to(rows.dtype)


def _spread_seeds(points: Tensor, count: int) -> Tensor:
    """Seeds of k-means++ (Arthur and Vassilvitskii, 2007): likelier the farther from the others."""
    generator = torch.Generator().manual_seed(0)
    chosen = [int(torch.randint(len(points), (), generator=generator))]
    distance = (points - points[chosen[0]]).square().sum(dim=1)
    while len(chosen) < count:
        far = distance if distance.sum() > 0 else torch.ones_like(distance)
        chosen.append(int(torch.multinomial(far, 1, generator=generator)))
        distance = distance.minimum((points - points[chosen[-1]]).square().sum(dim=1))
    return points[chosen]
