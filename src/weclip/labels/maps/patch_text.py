"""Patch-text maps: how much more each patch is like a tag's text than like the other texts.

Stage 3. Yang et al., "Exploring CLIP's Dense Knowledge for Weakly Supervised Semantic Segmentation"
(ExCEL), CVPR 2025; what texts have in common is taken off as in Li et al., "CLIP Surgery", 2023.
There is no backward pass, and a map costs one product.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from weclip.labels.tag_slots import TagSlots, min_max
from weclip.labels.view import View
from weclip.parts import map_source, setting

_SHARPNESS = 2.0  # of the softmax that weighs the texts; released code


@map_source("patch_text")
@dataclass(frozen=True, kw_only=True)
class PatchText:
    """Patches against texts in the joint space, after self-self attention (ExCEL)."""

    reads: ClassVar = ("patch_embedding",)

    self_self_blocks: int = setting(
        5, source="ExCEL, released code; last blocks whose tokens attend to alike ones", above=0
    )
    min_max_eps: float = setting(1e-7, source="released code; added to a map's maximum", above=0)

    def __call__(self, view: View, slots: TagSlots) -> Tensor:
        """Maps (B, K, h, w) in [0, 1]; 0 in empty slots."""
        embedding = view.patch_embedding(self.self_self_blocks)
        with torch.autocast(embedding.device.type, enabled=False):
            return patch_text_cam(
                embedding,
                slots,
                texts=view.all_texts,
                patch_grid=view.patch_grid,
                eps=self.min_max_eps,
            )


@torch.no_grad()
def patch_text_cam(
    embedding: Tensor, slots: TagSlots, *, texts: Tensor, patch_grid: tuple[int, int], eps: float
) -> Tensor:
    """Maps of the tags from patches and texts in the joint space.

    With s_nj the cosine of patch n and text j, and w_j the softmax over texts of twice the class
    token's cosine, relative to its mean, a map is `w_k s_nk - mean_j(w_j s_nj)`, min-max scaled.

    Args:
        embedding: (B, 1+N, J) unit rows, class token first.
        slots: The tags.
        texts: (M, J) unit rows, the classes first, then background words.
        patch_grid: (h, w), with h * w = N.
        eps: Added to the maximum in the min-max scaling.

    Returns:
        (B, K, h, w) in [0, 1]; 0 in empty slots.
    """
    cosine = embedding @ texts.T  # (B, 1+N, M)
    weight = (_SHARPNESS * cosine[:, :1]).softmax(dim=-1)  # (B, 1, M)
    weighted = cosine[:, 1:] * (weight / weight.mean(dim=-1, keepdim=True))  # (B, N, M)
    distinct = weighted - weighted.mean(dim=-1, keepdim=True)
    of_tags = distinct.transpose(1, 2).gather(
        1, slots.index[..., None].expand(-1, -1, distinct.shape[1])
    )  # (B, K, N)
    maps = min_max(torch.unflatten(of_tags, 2, patch_grid), eps)
    return maps * slots.filled[..., None, None]
