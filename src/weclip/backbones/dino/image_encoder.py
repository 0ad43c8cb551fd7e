"""DINOv2's vision transformer, frozen: normed patch tokens on its own grid.

Stage 2. Oquab et al., "DINOv2: Learning Robust Visual Features without Supervision", TMLR 2024;
registers: Darcet et al., ICLR 2024. Every size is read from the weights (ViT-S, B and L). The
factors of LayerScale are folded into the layers before them when weights are read (`layouts.py`);
without them it is DINO: Caron et al., "Emerging Properties in Self-Supervised Vision Transformers",
ICCV 2021.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weclip.backbones.guide import Guide
from weclip.backbones.imagenet import IMAGENET_MEAN, IMAGENET_STD, per_channel
from weclip.backbones.positions import OFFSET, bicubic, bicubic_antialiased, bicubic_matrix
from weclip.backbones.transformer import BlockSettings, Frozen, LayerNorm, Transformer, normal

HEAD_WIDTH = 64
"""Channels of an attention head in every DINOv2."""

EPS = 1e-6
"""Of every layer normalisation; CLIP's is 1e-5."""


class DinoImageEncoder(Frozen):
    """DINOv2's vision transformer.

    Args:
        width: Channels D.
        blocks: Number of blocks.
        patch_size: Pixels per patch side.
        native_grid: Patches per side that positions are stored for.
        registers: Tokens between class token and patches; 0 for models without.
        hidden: Channels of the blocks' wider layer; None for 4 D.
    """

    def __init__(
        self,
        *,
        width: int,
        blocks: int,
        patch_size: int,
        native_grid: int,
        registers: int = 0,
        hidden: int | None = None,
    ) -> None:
        super().__init__()
        settings = BlockSettings(max(1, width // HEAD_WIDTH), "gelu", EPS)
        self.patch_size = patch_size
        self.native_grid = native_grid
        self.patch_embedding = nn.Conv2d(3, width, patch_size, stride=patch_size)
        self.class_token = nn.Parameter(normal(width, std=0.02))
        self.positional_embedding = nn.Parameter(normal(1 + native_grid**2, width, std=0.02))
        self.registers = nn.Parameter(normal(registers, width, std=0.02))
        self.transformer = Transformer(width, blocks, settings, hidden)
        self.norm = LayerNorm(width, eps=EPS)
        self.register_buffer("mean", per_channel(IMAGENET_MEAN), persistent=False)
        self.register_buffer("std", per_channel(IMAGENET_STD), persistent=False)
        self.freeze()

    mean: Tensor
    std: Tensor

    @property
    def width(self) -> int:
        """Channels D of the tokens."""
        return self.class_token.shape[0]

    def grid_of(self, image_size: tuple[int, int]) -> tuple[int, int]:
        """Patch grid (h, w) of an image (H, W); a side shorter than a patch has one."""
        rows, columns = (
            torch.sym_max(1, side // self.patch_size)  # type: ignore[no-untyped-call]
            for side in image_size
        )
        return rows, columns

    def prepare(self, image: Tensor) -> Tensor:
        """Normalise images, and squeeze them to whole patches.

        Args:
            image: (B, 3, H, W), RGB in 0..255, any type.

        Returns:
            (B, 3, h * patch, w * patch), bilinear without antialiasing.
        """
        normalised = (image.to(self.mean.dtype) - self.mean) / self.std
        grid = self.grid_of((image.shape[2], image.shape[3]))
        size = (grid[0] * self.patch_size, grid[1] * self.patch_size)
        if not torch.compiler.is_exporting() and size == tuple(image.shape[2:]):
            return normalised
        return F.interpolate(normalised, size=size, mode="bilinear", align_corners=False)

    def positions(self, grid: tuple[int, int]) -> Tensor:
        """Positional embedding (1+N, D) of class token and patches, for a patch grid (h, w).

        Resized bicubically: without registers by a scale factor that `OFFSET` shifts, with
        registers to the size, with antialiasing. So did the published models.
        """
        if torch.compiler.is_exporting():
            return self._free_positions(grid)
        if not len(self.registers):
            return bicubic(self.positional_embedding, grid)
        return bicubic_antialiased(self.positional_embedding, grid)

    def _free_positions(self, grid: tuple[int, int]) -> Tensor:
        """As `positions`, for a grid that is free."""
        native, registers = self.native_grid, len(self.registers) > 0
        offset = 0.0 if registers else OFFSET
        rows, columns = (
            bicubic_matrix(native, side, offset=offset, antialias=registers) for side in grid
        )
        own = torch.arange(native)
        same = torch.full((1, 1), grid[0]).eq(native) & torch.full((1, 1), grid[1]).eq(native)
        rows = torch.where(same, (torch.arange(grid[0])[:, None] == own).float(), rows)
        columns = torch.where(same, (torch.arange(grid[1])[:, None] == own).float(), columns)
        stored = self.positional_embedding[1:].float().view(native, native, -1)
        resized = torch.einsum("hm,wn,mnd->hwd", rows, columns, stored).flatten(0, 1)
        return torch.cat([self.positional_embedding[:1], resized.to(stored.dtype)])

    def embed(self, prepared: Tensor) -> Tensor:
        """Tokens (B, 1+R+N, D) of `prepare`d images: class token, registers, patches."""
        x = self.patch_embedding(prepared)  # (B, D, h, w)
        positions = self.positions((x.shape[2], x.shape[3])).to(x.dtype)
        x = x.flatten(2).transpose(1, 2) + positions[1:]  # (B, N, D)
        first = torch.cat([self.class_token + positions[0], self.registers.flatten()])
        first = first.to(x.dtype).view(1, -1, self.width).expand(len(x), -1, -1)
        return torch.cat([first, x], dim=1)

    @torch.no_grad()
    def query_key(self, image: Tensor) -> Guide:
        """Queries plus keys of the last block, heads side by side, made unit.

        CorrCLIP's guide (Zhang, Liu, Tang, ICCV 2025); as in its released code with bias.

        Args:
            image: (B, 3, H, W), RGB in 0..255, any type.
        """
        *blocks, last = self.transformer.blocks
        tokens = self.embed(self.prepare(image))
        for block in blocks:
            tokens = block(tokens)
        query, key, _ = last.attn.project(last.ln_1(tokens))  # (B, heads, T, D/heads)
        both = (query + key)[:, :, 1 + len(self.registers) :].transpose(1, 2).flatten(2)
        unit = F.normalize(both.float(), dim=-1)
        return Guide(unit, self.grid_of((image.shape[2], image.shape[3])))

    @torch.no_grad()
    def forward(self, image: Tensor) -> Guide:
        """Patch tokens after the last block and its normalisation.

        Args:
            image: (B, 3, H, W), RGB in 0..255, any type.
        """
        tokens = self.transformer(self.embed(self.prepare(image)))
        patches = self.norm(tokens[:, 1 + len(self.registers) :])
        return Guide(patches, self.grid_of((image.shape[2], image.shape[3])))


def build_dino(state: Mapping[str, Tensor]) -> DinoImageEncoder:
    """Make the encoder that fits a state dict of its own names, and load it."""
    width, _, patch_size, _ = state["patch_embedding.weight"].shape
    encoder = DinoImageEncoder(
        width=width,
        blocks=len({name.split(".")[2] for name in state if name.startswith("transformer.")}),
        patch_size=patch_size,
        native_grid=round((len(state["positional_embedding"]) - 1) ** 0.5),
        registers=len(state["registers"]),
        hidden=len(state["transformer.resblocks.0.mlp.c_fc.bias"]),
    )
    encoder.load_state_dict(state)
    return encoder
