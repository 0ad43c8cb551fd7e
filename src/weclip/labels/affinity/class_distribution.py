"""Class-distribution affinity: patches belong together if CLIP sees the same mixture of classes.

Stage 3. Yang et al., "Leveraging Class Distributions in CLIP for Weakly Supervised Semantic
Segmentation" (CD-CLIP), CVPR 2026.
"""

from dataclasses import dataclass
from math import log
from typing import ClassVar

import torch
from torch import Tensor

from weclip.labels.spreading import Refined, attention_affinity, propagate
from weclip.labels.view import View
from weclip.parts import affinity, quirk, setting


@affinity("class_distribution")
@dataclass(frozen=True, kw_only=True)
class ClassDistribution:
    """Attention between patches that CLIP sees the same mixture of classes in (CD-CLIP)."""

    reads: ClassVar = ("attention", "embedding")

    layers: int = setting(8, source="WeCLIP, released code; last maps averaged", above=0, most=1000)
    refined_layers: int = setting(
        6, source="WeCLIP, released code; last maps a decoder chooses from", above=0, most=1000
    )
    signed_layer_distance: bool = quirk("released code of WeCLIP; see `refined_affinity`")
    self_self_blocks: int = setting(
        5, source="ExCEL, released code; of the embedding of patches", above=0, most=1000
    )
    temperature: float = setting(
        1.0, source="ours; chosen on the demo's training scenes (docs/methods.md)", above=0
    )
    power: int = setting(
        1, source="ours; CD-CLIP's is not known to us (docs/methods.md)", above=0, most=16
    )

    def attention_layers(self, *, refined: bool) -> int:
        """How many of the last attention maps are read."""
        return self.refined_layers if refined else self.layers

    def __call__(self, cam: Tensor, view: View, feature_affinity: Tensor | None) -> Refined:
        """Spread maps (B, K, h, w) from all patches."""
        attention = attention_affinity(
            view.attention(self.attention_layers(refined=feature_affinity is not None)),
            feature_affinity,
            signed=self.signed_layer_distance,
        )
        embedding = view.embedding_on_patches(self.self_self_blocks)
        distribution = view.probabilities(embedding)  # (B, N, M)
        similarity = jensen_shannon_similarity(distribution)
        affinity = class_distribution_affinity(similarity, attention, self.temperature)
        transition = torch.linalg.matrix_power(affinity, self.power)
        return Refined(affinity, transition, propagate(cam, transition))


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
