"""The only trained part: fuse frozen tokens of all blocks, then classify patches.

Stage 4, WeCLIP section 3.2. 5.99 M parameters at ViT-B/16 and 21 classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from weclip.backbones.transformer import Transformer


@dataclass(frozen=True)
class Decoded:
    """Decoder output.

    Attributes:
        logits: (B, C, h, w), one per patch and class, background first.
        feature_affinity: (B, N, N) in (0, 1), similarity of fused patch features.
    """

    logits: Tensor
    feature_affinity: Tensor


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
        self.dropout = nn.Dropout2d(dropout)
        self.transformer = Transformer(width, blocks, heads)
        self.classifier = nn.Conv2d(width, num_classes, kernel_size=1)

    def forward(self, tokens: Sequence[Tensor], patch_grid: tuple[int, int]) -> Decoded:
        """Decode frozen tokens.

        Args:
            tokens: L-1 outputs (B, 1+N, D), class token first.
            patch_grid: (h, w), with h * w = N.
        """
        projected = [
            projection(block[:, 1:])
            for projection, block in zip(self.projections, tokens, strict=True)
        ]
        stacked = torch.unflatten(torch.cat(projected, dim=-1).transpose(1, 2), 2, patch_grid)
        fused = self.dropout(self.fuse(stacked))  # (B, E, h, w)
        flat = fused.flatten(2)  # (B, E, N)
        affinity = torch.sigmoid((flat.transpose(1, 2) @ flat).float())  # (B, N, N)
        decoded = self.transformer(flat.transpose(1, 2))  # (B, N, E)
        decoded = torch.unflatten(decoded.transpose(1, 2), 2, patch_grid)
        return Decoded(self.classifier(decoded), affinity)
