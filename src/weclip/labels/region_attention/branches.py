"""What the rebuilt attention gathers of CLIP's tokens, and what region tokens add.

Stage 3. Zhang, Liu, Tang, "CorrCLIP", ICCV 2025. `N` patches of the fine grid.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from weclip.backbones.clip.image_encoder import ClipImageEncoder
from weclip.backbones.clip.region_tokens import region_tokens
from weclip.labels.region_attention.ids import nearest_ids, numbered

SPATIAL_BLOCKS = {12: 5, 24: 12, 32: 28}
"""Blocks of the spatial branch for each depth L that was published; others have L - 4."""


def spatial_blocks(depth: int) -> slice:
    """Which block inputs the spatial branch averages: the outputs of blocks that end at L-2.

    >>> spatial_blocks(12)  # the inputs of blocks 7..11 are the outputs of 6..10
    slice(6, 11, None)
    """
    count = SPATIAL_BLOCKS.get(depth, depth - 4)
    end = max(1, depth - 1)
    return slice(max(0, min(end - 1, end - count)), end)


@torch.no_grad()
def gathered(
    encoder: ClipImageEncoder,
    tokens: Tensor,
    attention: Tensor,
    patch_grid: tuple[int, int],
    fine_grid: tuple[int, int],
) -> Tensor:
    """Values of block L, resized to the fine grid, gathered by one attention for all heads.

    There is no residual and no MLP.

    Args:
        encoder: Frozen CLIP.
        tokens: (B, 1+n, D), class token first, which is left out.
        attention: (N, N), rows sum to 1.
        patch_grid: (h, w) of the tokens.
        fine_grid: (h_f, w_f).

    Returns:
        (B, N, D).
    """
    block = encoder.transformer.blocks[-1]
    width = tokens.shape[-1]
    weight, bias = block.attn.in_proj_weight[-width:], block.attn.in_proj_bias[-width:]
    value = F.linear(block.ln_1(tokens[:, 1:]), weight, bias)  # (B, n, D)
    planes = torch.unflatten(value.transpose(1, 2), 2, patch_grid)  # (B, D, h, w)
    fine = F.interpolate(planes, fine_grid, mode="bilinear", align_corners=False)
    out: Tensor = block.attn.out_proj(attention.to(fine.dtype) @ fine.flatten(2).transpose(1, 2))
    return out


@torch.no_grad()
def region_rows(
    encoder: ClipImageEncoder,
    entering: Sequence[Tensor],
    ids: Tensor,
    fine_grid: tuple[int, int],
) -> Tensor:
    """The token of each patch's region.

    Args:
        encoder: Frozen CLIP.
        entering: L inputs (1, 1+n, D) of blocks 1..L.
        ids: (h, w) int64, of CLIP's patches.
        fine_grid: (h_f, w_f). Regions keep the borders that they have on CLIP's grid.

    Returns:
        (N, D), the input of `encoder.project`.
    """
    present, place = numbered(ids)  # (R,), (h, w)
    seen = place.flatten() == torch.arange(len(present), device=ids.device)[:, None]  # (R, n)
    return region_tokens(encoder, entering, seen)[nearest_ids(place, fine_grid).flatten()]
