"""The only trained part: fuse frozen tokens of all blocks, then classify patches.

Stage 4, WeCLIP section 3.2. 5.99 M parameters at ViT-B/16 and 21 classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from weclip.backbones.transformer import Transformer
from weclip.data.batch import Share


@dataclass(frozen=True)
class Decoded:
    """Decoder output.

    Attributes:
        logits: (B, C, h, w), one per patch and class, background first.
        feature_affinity: (B, N, N) in (0, 1), similarity of fused patch features.
    """

    logits: Tensor
    feature_affinity: Tensor


class ChannelDropout(nn.Module):
    """Dropout of whole channels, drawn for the whole batch of a step.

    Then it does not matter how many processes share the batch, if they draw from equal generators.

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
        first, whole = share or (0, len(features))
        keep = 1 - self.probability
        drawn = torch.empty(whole, features.shape[1], 1, 1, device=features.device).bernoulli_(keep)
        scaled = drawn / max(keep, torch.finfo(drawn.dtype).tiny)  # all 0 where none is kept
        return features * scaled[first : first + len(features)].to(features.dtype)


class Decoder(nn.Module):
    """WeCLIP's decoder.

    Args:
        clip_width: Channels D of the frozen tokens.
        clip_blocks: Number of frozen blocks that are fused, L-1.
        num_classes: C, with background.
        width: Channels E of the decoder.
        blocks: Transformer blocks.
        heads: Attention heads.
        dropout: Probability that a fused channel is dropped in training.
    """

    def __init__(
        self,
        *,
        clip_width: int,
        clip_blocks: int,
        num_classes: int,
        width: int,
        blocks: int,
        heads: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.projections = nn.ModuleList(
            nn.Sequential(nn.Linear(clip_width, width), nn.ReLU(), nn.Linear(width, width))
            for _ in range(clip_blocks)
        )
        self.fuse = nn.Conv2d(clip_blocks * width, width, kernel_size=1)
        self.dropout = ChannelDropout(dropout)
        self.transformer = Transformer(width, blocks, heads)
        self.classifier = nn.Conv2d(width, num_classes, kernel_size=1)

    def forward(
        self, tokens: Sequence[Tensor], patch_grid: tuple[int, int], share: Share | None = None
    ) -> Decoded:
        """Decode frozen tokens.

        Args:
            tokens: L-1 outputs (B, 1+N, D), class token first.
            patch_grid: (h, w), with h * w = N.
            share: Which images of a training step these are; None: all of them.
        """
        projected = [
            projection(block[:, 1:])
            for projection, block in zip(self.projections, tokens, strict=True)
        ]
        stacked = torch.unflatten(torch.cat(projected, dim=-1).transpose(1, 2), 2, patch_grid)
        fused = self.dropout(self.fuse(stacked), share)  # (B, E, h, w)
        flat = fused.flatten(2)  # (B, E, N)
        affinity = torch.sigmoid((flat.transpose(1, 2) @ flat).float())  # (B, N, N)
        decoded = self.transformer(flat.transpose(1, 2))  # (B, N, E)
        decoded = torch.unflatten(decoded.transpose(1, 2), 2, patch_grid)
        return Decoded(self.classifier(decoded), affinity)
