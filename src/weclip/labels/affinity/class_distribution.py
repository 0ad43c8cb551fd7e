"""Class-distribution affinity: patches belong together if CLIP sees the same mixture of classes.

Stage 3. Yang et al., "Leveraging Class Distributions in CLIP for Weakly Supervised Semantic
Segmentation" (CD-CLIP), CVPR 2026.
"""

from math import log

import torch
from torch import Tensor


@torch.no_grad()
def jensen_shannon_similarity(distribution: Tensor) -> Tensor:
    """1 minus the Jensen-Shannon divergence, in bits, of all pairs of patches.

    Args:
        distribution: (B, N, M), rows sum to 1.

    Returns:
        (B, N, N) in [0, 1]; 1 on the diagonal.
    """
    batch, patches, classes = distribution.shape
    mixed = distribution.new_zeros(batch, patches, patches)  # entropy of each pair's mean, nats
    for index in range(classes):  # one class at a time, since all at once would be M times larger
        share = distribution[..., index]
        mixed += _entropy((share[:, :, None] + share[:, None, :]) / 2)
    own = _entropy(distribution).sum(dim=-1)  # (B, N)
    divergence = (mixed - (own[:, :, None] + own[:, None, :]) / 2) / log(2)
    return (1 - divergence).clamp(0, 1)


@torch.no_grad()
def class_distribution_affinity(
    similarity: Tensor, attention: Tensor, temperature: float
) -> Tensor:
    """Attention between patches of alike classes, rows summing to 1.

    Args:
        similarity: (B, N, N) of `jensen_shannon_similarity`.
        attention: (B, N, N), positive.
        temperature: Of the softmax of each patch's similarities; small values leave only the most
            alike patches, large ones the attention as it is.

    Returns:
        (B, N, N).
    """
    affinity = (similarity / temperature).softmax(dim=-1) * attention
    return affinity / affinity.sum(dim=-1, keepdim=True)


def _entropy(share: Tensor) -> Tensor:
    """-p log(p) of each element, in nats; 0 at 0."""
    entropy: Tensor = torch.special.entr(share)
    return entropy
