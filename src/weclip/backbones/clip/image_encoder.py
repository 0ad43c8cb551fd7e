"""CLIP's vision transformer, frozen: per-block tokens and head-averaged attention.

Stage 2, WeCLIP section 3.1. Every size is read from the weights, so any ViT CLIP in OpenAI layout
fits (OpenAI's B/16 to L/14@336, LAION's up to bigG/14, the demo's tiny one).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weclip.backbones.clip.last_block import LastBlock
from weclip.backbones.positions import Resize, bilinear
from weclip.backbones.transformer import BlockSettings, Frozen, LayerNorm, Transformer, normal

HEAD_WIDTH = 64
"""Channels of an attention head in every OpenAI CLIP."""

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class ImageFeatures:
    """What blocks 1..L-1 computed for a batch of images.

    Attributes:
        tokens: L-1 outputs (B, 1+N, D), class token first.
        attention: Maps (B, 1+N, 1+N) of the last blocks of these, as many as were asked for;
            averaged over heads, rows sum to 1.
        patch_grid: (h, w), with N = h * w.
    """

    tokens: tuple[Tensor, ...]
    attention: tuple[Tensor, ...]
    patch_grid: tuple[int, int]

    def of_image(self, index: int) -> "ImageFeatures":
        """Those of one image, as a batch of one."""
        tokens, attention = (
            tuple(each[index : index + 1] for each in part)
            for part in (self.tokens, self.attention)
        )
        return ImageFeatures(tokens, attention, self.patch_grid)


def openai_settings(width: int) -> BlockSettings:
    """How the blocks of every OpenAI CLIP compute; narrower ones than a head have one."""
    return BlockSettings(heads=max(1, width // HEAD_WIDTH))


class ClipImageEncoder(Frozen):
    """OpenAI vision transformer.

    Args:
        width: Channels D.
        blocks: Number of blocks L.
        patch_size: Pixels per patch side.
        native_grid: Patches per side at the resolution it was trained at.
        joint_size: Channels J of the joint space of images and texts.
        settings: How its blocks compute; None for OpenAI's way.
        hidden: Channels of the blocks' wider layer; None for 4 D.
    """

    def __init__(
        self,
        *,
        width: int,
        blocks: int,
        patch_size: int,
        native_grid: int,
        joint_size: int,
        settings: BlockSettings | None = None,
        hidden: int | None = None,
    ) -> None:
        super().__init__()
        settings = settings or openai_settings(width)
        self.patch_size = patch_size
        self.native_grid = native_grid
        self.conv1 = nn.Conv2d(3, width, patch_size, stride=patch_size, bias=False)
        self.class_embedding = nn.Parameter(normal(width, std=width**-0.5))
        self.positional_embedding = nn.Parameter(normal(native_grid**2 + 1, width, std=width**-0.5))
        self.ln_pre = LayerNorm(width, eps=settings.eps)
        self.transformer = Transformer(width, blocks, settings, hidden)
        self.ln_post = LayerNorm(width, eps=settings.eps)
        self.proj = nn.Parameter(normal(width, joint_size, std=width**-0.5))
        self.freeze()

    @property
    def width(self) -> int:
        """Channels D of the tokens."""
        return self.class_embedding.shape[0]

    @property
    def heads(self) -> int:
        """Attention heads of a block."""
        heads: int = self.transformer.blocks[0].attn.heads
        return heads

    @property
    def depth(self) -> int:
        """Number of blocks L."""
        return len(self.transformer.blocks)

    def embed(self, image: Tensor, resize: Resize = bilinear) -> tuple[Tensor, tuple[int, int]]:
        """Cut a normalised image into tokens, with positions added.

        Args:
            image: (B, 3, H, W) normalised; pixels beyond the last whole patch are dropped.
            resize: Fits the positions to the patch grid.

        Returns:
            Tokens (B, 1+N, D) after `ln_pre`, and the patch grid (h, w).
        """
        x = self.conv1(image)  # (B, D, h, w)
        grid = (x.shape[2], x.shape[3])
        x = x.flatten(2).transpose(1, 2)  # (B, N, D)
        class_token = self.class_embedding.to(x.dtype).expand(x.shape[0], 1, -1)
        x = torch.cat([class_token, x], dim=1)  # (B, 1+N, D)
        return self.ln_pre(x + self.positions(grid, resize).to(x.dtype)), grid

    def positions(self, grid: tuple[int, int], resize: Resize = bilinear) -> Tensor:
        """Positional embedding (1+N, D) for a patch grid (h, w)."""
        return resize(self.positional_embedding, grid)

    @torch.no_grad()
    def forward(self, image: Tensor, maps: int | None = None) -> ImageFeatures:
        """Run blocks 1..L-1.

        Args:
            image: (B, 3, H, W) normalised.
            maps: How many of the last blocks return their attention; the others use the fused
                kernel, which never forms it. None for all.
        """
        x, grid = self.embed(image)
        blocks = self.transformer.blocks[:-1]
        fused = 0 if maps is None else max(0, len(blocks) - maps)
        tokens, attention = [], []
        for index, block in enumerate(blocks):
            if index < fused:
                x = block(x)
            else:
                x, block_attention = block.with_map(x)
                attention.append(block_attention)
            tokens.append(x)
        return ImageFeatures(tuple(tokens), tuple(attention), grid)

    def project(self, tokens: Tensor) -> Tensor:
        """Tokens (..., D) after the last block as float32 rows (..., J) of the joint space."""
        with torch.autocast(tokens.device.type, enabled=False):
            projected: Tensor = self.ln_post(tokens.float()) @ self.proj.float()
        return projected

    def to_joint(self, tokens: Tensor) -> Tensor:
        """As `project`, rows made unit."""
        return F.normalize(self.project(tokens), dim=-1)

    def run_last_block(self, tokens: Tensor) -> LastBlock:
        """Run block L, `ln_post`, the mean over patches and the projection.

        Args:
            tokens: (B, 1+N, D), the output of block L-1.
        """
        return LastBlock(self.transformer.blocks[-1], self.ln_post, self.proj, tokens)


def build_image_encoder(
    state: Mapping[str, Tensor], settings: BlockSettings | None = None
) -> ClipImageEncoder:
    """Make the encoder that fits an OpenAI-layout state dict, and load it.

    Args:
        state: Float tensors, which become the encoder's; the entries under `visual.` are read.
        settings: How its blocks compute; None for OpenAI's way.
    """
    visual = {k.removeprefix("visual."): v for k, v in state.items() if k.startswith("visual.")}
    width, _, patch_size, _ = visual["conv1.weight"].shape
    with torch.device("meta"):  # no numbers are drawn, only to be replaced
        encoder = ClipImageEncoder(
            width=width,
            blocks=count_blocks(visual),
            patch_size=patch_size,
            native_grid=round((visual["positional_embedding"].shape[0] - 1) ** 0.5),
            joint_size=visual["proj"].shape[1],
            settings=settings,
            hidden=hidden_width(visual),
        )
    encoder.load_state_dict(visual, assign=True)
    return encoder


def count_blocks(state: Iterable[str]) -> int:
    """Number of transformer blocks among keys `transformer.resblocks.<i>.…`."""
    found = (re.match(r"transformer\.resblocks\.(\d+)\.", key) for key in state)
    return 1 + max(int(match[1]) for match in found if match)


def hidden_width(state: Mapping[str, Tensor]) -> int | None:
    """Channels of the wider layer of the first block; None where it is not there."""
    weight = state.get("transformer.resblocks.0.mlp.c_fc.weight")
    return None if weight is None or weight.ndim != 2 else len(weight)
