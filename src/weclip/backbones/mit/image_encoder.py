"""MiT, SegFormer's transformer of four stages, the last at stride 16: a trained encoder.

Stage 2. AFA section 3 reads the raw scores of the last two blocks. Xie et al., "SegFormer", NeurIPS
2021; Ru et al., "Learning Affinity from Attention", CVPR 2022. No positional embedding and no class
token, so any image size fits.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from weclip.backbones.imagenet import IMAGENET_MEAN, IMAGENET_STD, per_channel
from weclip.backbones.mit.blocks import EPS, MitBlock, PatchEmbedding, to_map
from weclip.data.batch import Share
from weclip.system.errors import InputError

KERNELS = (7, 3, 3, 3)
STRIDES = (4, 2, 2, 1)
"""Of the four patch embeddings. SegFormer's last is 2; AFA keeps stage 4 at stride 16."""

SCORED = 2
"""Last blocks whose raw scores are kept."""


@dataclass(frozen=True)
class MitSettings:
    """The sizes of a MiT, stage by stage.

    Attributes:
        widths: Channels D_i.
        depths: Number of blocks; of the last stage at least `SCORED`.
        heads: Attention heads; each divides its width.
        reductions: Side of the cells of tokens that share a key; 1 in the last stage.
        mlp_ratio: Channels of an MLP's wider layer, as a multiple of the width.
    """

    widths: tuple[int, ...]
    depths: tuple[int, ...] = (2, 2, 2, 2)
    heads: tuple[int, ...] = (1, 2, 5, 8)
    reductions: tuple[int, ...] = (8, 4, 2, 1)
    mlp_ratio: int = 4

    @property
    def score_maps(self) -> int:
        """Number M of raw maps in `MitFeatures.scores`."""
        return SCORED * self.heads[-1]

    @property
    def least_side(self) -> int:
        """Pixels per side that an image must have, so that every stage has a key."""
        return self._side_with(1)

    @property
    def program_side(self) -> int:
        """The same for a program of `torch.export`: in no stage keys lie in one row."""
        return self._side_with(2)

    def _side_with(self, keys: int) -> int:
        """Pixels per side that give so many keys per side in every stage."""
        stride, least = 1, 1
        for step, reduction in zip(STRIDES, self.reductions, strict=True):
            stride *= step
            least = max(least, (keys * reduction - 1) * stride + 1)
        return least


_WIDE = (64, 128, 320, 512)

SIZES: Mapping[str, MitSettings] = {
    "b0": MitSettings((32, 64, 160, 256)),
    "b1": MitSettings(_WIDE),
    "b2": MitSettings(_WIDE, (3, 4, 6, 3)),
    "b3": MitSettings(_WIDE, (3, 4, 18, 3)),
    "b4": MitSettings(_WIDE, (3, 8, 27, 3)),
    "b5": MitSettings(_WIDE, (3, 6, 40, 3)),
}
"""The published sizes (SegFormer, table 6). AFA's is B1."""


@dataclass(frozen=True)
class MitFeatures:
    """What the encoder computed for a batch of images.

    Attributes:
        maps: F1..F4, each (B, D_i, h_i, w_i); the last two have the same grid.
        scores: (B, M, N, N) raw `q k^T` of the last two blocks, the block before the last first,
            heads in order; float32 or finer. M is 0 where they were not asked for.
        patch_grid: (h, w) of stages 3 and 4, with N = h * w.
    """

    maps: tuple[Tensor, ...]
    scores: Tensor
    patch_grid: tuple[int, int]


class MitEncoder(nn.Module):
    """MiT, trained. A side of the grid of stage 3 and 4 is a 16th of the image's, rounded up.

    Args:
        settings: Its sizes.
        drop_path: Chance that a branch of the last block is left out in training; it grows evenly
            from 0 in the first block.
    """

    def __init__(self, settings: MitSettings, *, drop_path: float = 0.1) -> None:
        super().__init__()
        self.settings = settings
        rates = iter(_evenly(drop_path, sum(settings.depths)))
        before = 3
        for index, width in enumerate(settings.widths):
            stage = index + 1
            embedding = PatchEmbedding(before, width, KERNELS[index], STRIDES[index])
            sizes = (settings.heads[index], settings.reductions[index], settings.mlp_ratio * width)
            blocks = [MitBlock(width, *sizes, next(rates)) for _ in range(settings.depths[index])]
            self.add_module(f"patch_embed{stage}", embedding)
            self.add_module(f"block{stage}", nn.ModuleList(blocks))
            self.add_module(f"norm{stage}", nn.LayerNorm(width, eps=EPS))
            before = width
        self.register_buffer("mean", per_channel(IMAGENET_MEAN), persistent=False)
        self.register_buffer("std", per_channel(IMAGENET_STD), persistent=False)

    mean: Tensor
    std: Tensor

    def normalise(self, image: Tensor) -> Tensor:
        """What `forward` reads, of images (B, 3, H, W), RGB in 0..255 of any type."""
        return (image.to(self.mean.dtype) - self.mean) / self.std

    def grid_of(self, image_size: tuple[int, int]) -> tuple[int, int]:
        """Patch grid (h, w) of stages 3 and 4 for an image (H, W)."""
        return -(-image_size[0] // 16), -(-image_size[1] // 16)

    def forward(
        self, image: Tensor, *, share: Share | None = None, scores: bool = True
    ) -> MitFeatures:
        """Run all stages.

        Args:
            image: (B, 3, H, W) normalised.
            share: Which images of a training step these are; None: all of them. What is left out
                at random is drawn for the whole step.
            scores: Whether the raw scores are wanted; without them the fused kernel runs, which
                never forms them.

        Raises:
            InputError: The image is too small.
        """
        if not torch.compiler.is_exporting():
            self.require_size((image.shape[2], image.shape[3]))
        maps: list[Tensor] = []
        kept: list[Tensor] = []
        x = image
        for embedding, blocks, norm in self.stages():
            tokens, grid = embedding(x)
            plain = len(blocks) - (SCORED if scores and len(maps) == 3 else 0)
            for block in blocks[:plain]:
                tokens = block(tokens, grid, share)
            for block in blocks[plain:]:
                tokens, found = block.with_scores(tokens, grid, share)
                kept.append(found)
            x = to_map(norm(tokens), grid)
            maps.append(x)
        count = grid[0] * grid[1]
        raw = torch.cat(kept, dim=1) if kept else x.new_empty(x.shape[0], 0, count, count)
        return MitFeatures(tuple(maps), raw, grid)

    def stages(self) -> list[tuple[PatchEmbedding, list[MitBlock], nn.LayerNorm]]:
        """Patch embedding, blocks and last normalisation of each stage."""
        return [
            (
                cast(PatchEmbedding, getattr(self, f"patch_embed{stage}")),
                cast(list[MitBlock], list(getattr(self, f"block{stage}"))),
                cast(nn.LayerNorm, getattr(self, f"norm{stage}")),
            )
            for stage in range(1, len(self.settings.widths) + 1)
        ]

    def require_size(self, image_size: tuple[int, int]) -> None:
        """InputError if an image (H, W) is smaller than a cell of tokens that shares a key."""
        least = self.settings.least_side
        if min(image_size) < least:
            raise InputError(
                f"an image of {image_size[0]} x {image_size[1]} pixels (height x width) is too "
                f"small for MiT: each side must have at least {least}; enlarge it, or choose a "
                "larger crop or scale"
            )


def _evenly(last: float, count: int) -> list[float]:
    """`count` numbers at equal distances, 0 first.

    >>> _evenly(0.1, 3)
    [0.0, 0.05, 0.1]
    """
    return [last * index / max(1, count - 1) for index in range(count)]
