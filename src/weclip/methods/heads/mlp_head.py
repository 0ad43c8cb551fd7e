"""SegFormer's all-MLP head: four feature maps to logits at stride 4.

Stage 4. Xie et al., "SegFormer", NeurIPS 2021; sizes and initial values as AFA's released code.
"""

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weclip.backbones.dropout import ChannelDropout
from weclip.data.batch import Share
from weclip.methods.heads.batch_norm import SharedBatchNorm
from weclip.methods.loss_inputs import Total


class MlpHead(nn.Module):
    """A linear layer on each map, then one on all of them, then a score of each class.

    Args:
        in_widths: Channels of the maps F1..F4.
        width: Channels E.
        num_classes: C, with background.
        dropout: Probability that a channel is dropped in training.
    """

    def __init__(
        self, in_widths: Sequence[int], *, width: int, num_classes: int, dropout: float
    ) -> None:
        super().__init__()
        self.projections = nn.ModuleList(nn.Linear(each, width) for each in in_widths)
        self.fuse = nn.Conv2d(len(in_widths) * width, width, kernel_size=1, bias=False)
        self.norm = SharedBatchNorm(width)
        self.dropout = ChannelDropout(dropout)
        self.classifier = nn.Conv2d(width, num_classes, kernel_size=1)
        nn.init.normal_(self.fuse.weight, std=(2 / width) ** 0.5)

    def forward(self, maps: Sequence[Tensor], share: Share | None, total: Total) -> Tensor:
        """Logits (B, C, h_1, w_1) of maps F1..F4, each (B, D_i, h_i, w_i).

        Args:
            maps: The maps, the finest first.
            share: Which images of a training step these are; None: all of them.
            total: Sums a tensor over the processes of the step.
        """
        fused = self.normalised(maps, total).relu()  # (B, E, h_1, w_1)
        logits: Tensor = self.classifier(self.dropout(fused, share))
        return logits

    def normalised(self, maps: Sequence[Tensor], total: Total) -> Tensor:
        """(B, E, h_1, w_1) of maps; in training mode the running statistics are updated."""
        normalised: Tensor = self.norm(self.fused(maps), total)
        return normalised

    def fused(self, maps: Sequence[Tensor]) -> Tensor:
        """(B, E, h_1, w_1) before the normalisation.

        The fusing layer reads the maps side by side, F4 first, resized to the grid of F1. It is
        linear, so each map's part of it is done on the map's own grid, and the results are added.
        """
        parts = self.fuse.weight[:, :, 0, 0].chunk(len(maps), dim=1)[::-1]  # of F1, F2, F3, F4
        of_maps = []
        for features, projection, part in zip(maps, self.projections, parts, strict=True):
            tokens = F.linear(projection(features.permute(0, 2, 3, 1)), part)  # (B, h_i, w_i, E)
            of_maps.append(tokens.permute(0, 3, 1, 2))
        finest, *coarser = of_maps
        for each in coarser:
            finest = finest + F.interpolate(each, finest.shape[2:], mode="bilinear")
        return finest


class ScoreAffinity(nn.Module):
    """Which patches belong together, of raw attention scores (AFA section 3.2).

    Args:
        maps: Number M of maps.
    """

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(maps, 1, kernel_size=1)
        nn.init.normal_(self.mix.weight, std=(1 / 3) ** 0.5)

    def forward(self, scores: Tensor) -> Tensor:
        """(B, N, N) in (0, 1), symmetric, of raw maps (B, M, N, N); in float32 or finer.

        The mix is linear: that of a map and its transpose is the mix's sum with its transpose.
        """
        with torch.autocast(scores.device.type, enabled=False):
            mixed = torch.einsum("m,bmij->bij", self.mix.weight[0, :, 0, 0], scores)
            return (mixed + mixed.transpose(1, 2) + cast(Tensor, self.mix.bias)).sigmoid()
