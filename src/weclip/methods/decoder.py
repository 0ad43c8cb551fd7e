"""The only trained part: fuse frozen tokens, then classify patches.

Stage 4, WeCLIP section 3.2: 5.99 M parameters at ViT-B/16 and 21 classes. WeCLIP+ has 2.93 M with
ViT-S/14 beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weclip.backbones.dropout import ChannelDropout
from weclip.backbones.guide import Guide
from weclip.backbones.transformer import Transformer
from weclip.data.batch import Share


@dataclass(frozen=True)
class Decoded:
    """Decoder output.

    Attributes:
        logits: (B, C, h, w), one per patch and class, background first.
        features: (B, E, h, w), fused patch features.
        branches: Logits (B, C, h, w) of each frozen encoder's branch, where there are several.
    """

    logits: Tensor
    features: Tensor
    branches: tuple[Tensor, ...] = ()

    @cached_property
    def feature_affinity(self) -> Tensor:
        """(B, N, N) in (0, 1), similarity of the features.

        Computed when first asked for, since predictions, of large images too, do without.
        """
        return similarity(self.features)


class Fusion(nn.Module):
    """Frozen tokens of one or more blocks, made one feature map.

    Args:
        in_width: Channels D of the frozen tokens.
        blocks: Number of frozen blocks that are fused.
        width: Channels E of the map.
        dropout: Probability that a channel is dropped in training.
    """

    def __init__(self, in_width: int, blocks: int, width: int, dropout: float) -> None:
        super().__init__()
        self.projections = nn.ModuleList(
            nn.Sequential(nn.Linear(in_width, width), nn.ReLU(), nn.Linear(width, width))
            for _ in range(blocks)
        )
        self.fuse = nn.Conv2d(blocks * width, width, kernel_size=1)
        self.dropout = ChannelDropout(dropout)

    def forward(
        self, tokens: Sequence[Tensor], patch_grid: tuple[int, int], share: Share | None = None
    ) -> Tensor:
        """Fuse patch tokens.

        Args:
            tokens: Outputs (B, T, D) of the blocks, of which the last N are patches.
            patch_grid: (h, w), with h * w = N.
            share: Which images of a training step these are; None: all of them.

        Returns:
            (B, E, h, w).
        """
        patches = patch_grid[0] * patch_grid[1]
        # Cut off afterwards: products of whole tensors do not depend on how large a batch is.
        projected = [
            projection(block)[:, -patches:]
            for projection, block in zip(self.projections, tokens, strict=True)
        ]
        fused = pointwise(self.fuse, torch.cat(projected, dim=-1))  # (B, N, E)
        features = torch.unflatten(fused.transpose(1, 2), 2, patch_grid)
        dropped: Tensor = self.dropout(features, share)
        return dropped


class PatchClassifier(nn.Module):
    """Transformer blocks on a feature map, then a score of each class.

    Args:
        num_classes: C, with background.
        width: Channels E.
        blocks: Transformer blocks.
        heads: Attention heads.
    """

    def __init__(self, num_classes: int, width: int, blocks: int, heads: int) -> None:
        super().__init__()
        self.transformer = Transformer(width, blocks, heads)
        self.classifier = nn.Conv2d(width, num_classes, kernel_size=1)

    def forward(self, features: Tensor) -> Tensor:
        """Logits (B, C, h, w) of features (B, E, h, w)."""
        decoded = self.transformer(features.flatten(2).transpose(1, 2))  # (B, N, E)
        logits = pointwise(self.classifier, decoded)  # (B, N, C)
        return torch.unflatten(logits.transpose(1, 2), 2, features.shape[2:])


def pointwise(convolution: nn.Conv2d, tokens: Tensor) -> Tensor:
    """A 1 x 1 convolution of tokens (B, N, D) as one product."""
    return F.linear(tokens, convolution.weight[:, :, 0, 0], convolution.bias)


def similarity(features: Tensor) -> Tensor:
    """(B, N, N) in (0, 1), how alike the patches of (B, E, h, w) are."""
    flat = features.flatten(2)  # (B, E, N)
    return torch.sigmoid((flat.transpose(1, 2) @ flat).float())


class Decoder(nn.Module):
    """WeCLIP's decoder: all frozen blocks of CLIP fused, then classified.

    Args:
        clip_width: Channels D of CLIP's tokens.
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
        self.fusion = Fusion(clip_width, clip_blocks, width, dropout)
        self.segmenter = PatchClassifier(num_classes, width, blocks, heads)

    def forward(
        self, tokens: Sequence[Tensor], patch_grid: tuple[int, int], share: Share | None = None
    ) -> Decoded:
        """Decode frozen tokens.

        Args:
            tokens: L-1 outputs (B, 1+N, D), class token first.
            patch_grid: (h, w), with h * w = N.
            share: Which images of a training step these are; None: all of them.
        """
        fused = self.fusion(tokens, patch_grid, share)  # (B, E, h, w)
        return Decoded(self.segmenter(fused), fused)


class TwoBranchDecoder(nn.Module):
    """WeCLIP+'s decoder: a head for each frozen encoder, then one classifier for both maps.

    Args:
        clip_width: Channels D of CLIP's tokens.
        guide_width: Channels D' of the second encoder's.
        num_classes: C, with background.
        width: Channels E of the decoder.
        blocks: Transformer blocks.
        heads: Attention heads.
        dropout: Probability that a channel of a head is dropped in training.
    """

    def __init__(
        self,
        *,
        clip_width: int,
        guide_width: int,
        num_classes: int,
        width: int,
        blocks: int,
        heads: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.clip_head = Fusion(clip_width, 1, width, dropout)
        self.guide_head = Fusion(guide_width, 1, width, dropout)
        self.segmenter = PatchClassifier(num_classes, width, blocks, heads)

    def forward(
        self,
        tokens: Tensor,
        patch_grid: tuple[int, int],
        guide: Guide,
        share: Share | None = None,
    ) -> Decoded:
        """Decode frozen tokens of both encoders.

        Args:
            tokens: (B, 1+N, D) of CLIP's block L-1, class token first.
            patch_grid: (h, w), with h * w = N; the second encoder's map is resized to it.
            guide: The second encoder's patches.
            share: Which images of a training step these are; None: all of them.
        """
        of_clip = self.clip_head([tokens], patch_grid, share)  # (B, E, h, w)
        of_guide = self.guide_head([guide.features], guide.patch_grid, share)  # (B, E, h', w')
        of_guide = F.interpolate(of_guide, size=patch_grid, mode="bilinear", align_corners=False)
        branches = (self.segmenter(of_clip), self.segmenter(of_guide))
        both = torch.cat([of_clip, of_guide], dim=1)  # (B, 2E, h, w)
        return Decoded((branches[0] + branches[1]) / 2, both, branches)
