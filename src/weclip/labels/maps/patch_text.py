"""Patch-text maps: how much more each patch is like a tag's text than like the other texts.

Stage 3. Yang et al., "Exploring CLIP's Dense Knowledge for Weakly Supervised Semantic Segmentation"
(ExCEL), CVPR 2025; what texts have in common is taken off as in Li et al., "CLIP Surgery", 2023.
There is no backward pass, and a map costs one product.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from weclip.labels.tag_slots import TagSlots
from weclip.labels.view import View
from weclip.parts import map_source, quirk, setting

_SHARPNESS = 2.0  # of the softmax that weighs the texts; released code


@map_source("patch_text")
@dataclass(frozen=True, kw_only=True)
class PatchText:
    """Patches against texts in the joint space, after self-self attention (ExCEL)."""

    reads: ClassVar = ("embedding",)

    self_self_blocks: int = setting(
        5,
        source="ExCEL, released code; last blocks whose tokens attend to alike ones",
        above=0,
        most=1000,
    )
    unit_over_tokens: bool = quirk("released code of ExCEL; see `over_tokens`")
    class_token_in_range: bool = quirk("released code of ExCEL; see `patch_text_cam`")

    def __call__(self, view: View, slots: TagSlots) -> Tensor:
        """Maps (B, K, h, w) in [0, 1], on the grid of the embedding; 0 in empty slots."""
        embedding, patch_grid = self._embedding(view)
        return patch_text_cam(
            embedding,
            slots,
            texts=view.all_texts,
            patch_grid=patch_grid,
            class_token_in_range=self.class_token_in_range,
        )

    def _embedding(self, view: View) -> tuple[Tensor, tuple[int, int]]:
        """Rows (B, 1+N, J), class token first, and the patches' grid.

        The class token is that of the image's own path, as published; another embedding has none.
        Of that, or with a memory, the quirks count over the class token and its rows as they are.
        """
        if view.embedder is None and view.memory is None:
            tokens = torch.cat([view.class_token, view.patch_tokens(self.self_self_blocks)], dim=1)
            rows, grid = view.encoder.project(tokens), view.patch_grid
            return (over_tokens(rows) if self.unit_over_tokens else F.normalize(rows, dim=-1)), grid
        made = view.embedding(self.self_self_blocks)
        rows = torch.cat([view.encoder.to_joint(view.class_token), made.rows], dim=1)
        return (over_tokens(rows) if self.unit_over_tokens else rows), made.patch_grid


def over_tokens(embedding: Tensor) -> Tensor:
    """Each channel of (B, 1+N, J) made unit over the tokens, as released, not each token."""
    unit: Tensor = embedding / embedding.norm(dim=1, keepdim=True)
    return unit


@torch.no_grad()
def patch_text_cam(
    embedding: Tensor,
    slots: TagSlots,
    *,
    texts: Tensor,
    patch_grid: tuple[int, int],
    class_token_in_range: bool = False,
) -> Tensor:
    """Maps of the tags from patches and texts in the joint space.

    With s_nj the product of token n and text j, and w_j the softmax over texts of twice the class
    token's, relative to its mean, a map is `w_k s_nk - mean_j(w_j s_nj)`, min-max scaled.

    Args:
        embedding: (B, 1+N, J) rows, class token first.
        slots: The tags.
        texts: (M, J) unit rows, the classes first, then background words.
        patch_grid: (h, w), with h * w = N.
        class_token_in_range: Whether the class token counts for the least and the greatest value,
            as released.

    Returns:
        (B, K, h, w) in [0, 1]; 0 in empty slots.
    """
    product = embedding @ texts.T  # (B, 1+N, M)
    weight = (_SHARPNESS * product[:, :1]).softmax(dim=-1)  # (B, 1, M)
    weighted = product * (weight / weight.mean(dim=-1, keepdim=True))  # (B, 1+N, M)
    distinct = weighted - weighted.mean(dim=-1, keepdim=True)
    of_tags = distinct.transpose(1, 2).gather(
        1, slots.index[..., None].expand(-1, -1, distinct.shape[1])
    )  # (B, K, 1+N)
    patches = of_tags[..., 1:]
    ranged = of_tags if class_token_in_range else patches
    low, high = ranged.amin(dim=-1, keepdim=True), ranged.amax(dim=-1, keepdim=True)
    span = (high - low).clamp(min=torch.finfo(low.dtype).tiny)  # a map of one value is 0
    maps = torch.unflatten((patches - low) / span, 2, patch_grid)
    return maps * slots.filled[..., None, None]
