"""Dropout that is drawn for the whole batch of a step.

Stage 2. Then it does not matter how many processes share the batch, if they draw from equal
generators.
"""

import torch
from torch import Tensor, nn

from weclip.data.batch import Share


def drop_parts(x: Tensor, probability: float, parts: int, share: Share | None = None) -> Tensor:
    """Set parts of images to 0, and divide the others by the chance to be kept.

    Args:
        x: (B, ...).
        probability: Chance that a part is dropped.
        parts: How many parts an image has: 1, or as many as `x` has channels in dimension 1.
        share: Which images of the whole batch these are; None: all of them.
    """
    first, whole = share or (0, len(x))
    keep = 1 - probability
    kind = torch.promote_types(x.dtype, torch.float32)
    shape = (whole, parts, *(1 for _ in x.shape[2:]))
    drawn = torch.empty(shape, dtype=kind, device=x.device).bernoulli_(keep)
    scaled = drawn / max(keep, torch.finfo(kind).tiny)  # all 0 where none is kept
    return x * scaled[first : first + len(x)].to(x.dtype)


class ChannelDropout(nn.Module):
    """Dropout of whole channels of an image.

    Args:
        probability: Chance that a channel of an image is dropped in training.
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, features: Tensor, share: Share | None = None) -> Tensor:
        """Drop channels of (B, E, h, w), the images that `share` tells of the whole batch."""
        if not self.training or self.probability == 0:
            return features
        return drop_parts(features, self.probability, features.shape[1], share)


class StochasticDepth(nn.Module):
    """Leave out a residual branch for some images (Huang et al., 2016).

    Args:
        probability: Chance that the branch of an image is left out in training.
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, branch: Tensor, share: Share | None = None) -> Tensor:
        """Drop images of (B, N, D), those that `share` tells of the whole batch."""
        if not self.training or self.probability == 0:
            return branch
        return drop_parts(branch, self.probability, 1, share)
