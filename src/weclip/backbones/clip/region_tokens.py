"""A token for each region of an image, beside the ordinary tokens of CLIP.

Stage 2. Zhang, Liu, Tang, "CorrCLIP", ICCV 2025, the semantic branch. A region token starts as the
class token and attends to it and to its region's patches. No ordinary token sees it, so the
ordinary tokens are those of plain CLIP: with these kept, only the rows of the region tokens run.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from weclip.backbones.clip.image_encoder import ClipImageEncoder
from weclip.backbones.positions import Resize, bilinear
from weclip.backbones.transformer import Attention


@torch.no_grad()
def block_inputs(
    encoder: ClipImageEncoder, image: Tensor, resize: Resize = bilinear
) -> tuple[tuple[Tensor, ...], tuple[int, int]]:
    """Run blocks 1..L-1, and keep what enters each block.

    Args:
        encoder: Frozen CLIP.
        image: (B, 3, H, W) normalised.
        resize: Fits the positions to the patch grid.

    Returns:
        L inputs (B, 1+N, D) of blocks 1..L, class token first, and the patch grid (h, w).
    """
    x, grid = encoder.embed(image, resize)
    entering = [x]
    for block in encoder.transformer.blocks[:-1]:
        entering.append(block(entering[-1]))
    return tuple(entering), grid


@torch.no_grad()
def region_tokens(encoder: ClipImageEncoder, entering: Sequence[Tensor], seen: Tensor) -> Tensor:
    """Region tokens after block L.

    Args:
        encoder: Frozen CLIP.
        entering: L inputs (1, 1+N, D) of blocks 1..L, of one image; see `block_inputs`.
        seen: (R, N) bool, the patches of each region.

    Returns:
        (R, D), the input of `encoder.project`.
    """
    blocks = encoder.transformer.blocks
    assert len(entering) == len(blocks)
    mask = F.pad(seen, (1, 0), value=True)  # (R, 1+N): all see the class token
    x = entering[0][:, :1].expand(-1, len(seen), -1)  # (1, R, D)
    for block, tokens in zip(blocks, entering, strict=True):
        x = x + _attend(block.attn, block.ln_1(x), block.ln_1(tokens), mask)
        x = x + block.mlp(block.ln_2(x))
    return x[0]


def _attend(attention: Attention, x: Tensor, tokens: Tensor, mask: Tensor) -> Tensor:
    """Output (1, R, D) of rows `x` (1, R, D) that attend to `tokens` (1, T, D) where `mask` is."""
    width = x.shape[-1]
    weight, bias = attention.in_proj_weight, attention.in_proj_bias
    query = F.linear(x, weight[:width], bias[:width])
    key, value = F.linear(tokens, weight[width:], bias[width:]).chunk(2, dim=-1)
    query, key, value = (
        torch.unflatten(each, -1, (attention.heads, -1)).transpose(1, 2)
        for each in (query, key, value)
    )  # (1, heads, R or T, D/heads)
    return attention.merge(F.scaled_dot_product_attention(query, key, value, attn_mask=mask))
