"""Scores of all classes for an image by a frozen CLIP alone: which of them are in it?

Stage 4. TagCLIP: Lin et al., "TagCLIP: A Local-to-Global Framework to Enhance Open-Vocabulary
Multi-Label Classification of CLIP Without Training", AAAI 2024. The embedding of patches may also
be that of ExCEL (`dense_embedding.py`), which TagCLIP does not have.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from weclip.backbones.clip.dense_embedding import value_embedding
from weclip.backbones.clip.region_embedding import region_embedding
from weclip.labels.auto_tags import (
    dual_masked_attention,
    min_max,
    refine_scores,
    relative_choice,
)
from weclip.labels.tag_maps import TagMaps
from weclip.labels.view import View
from weclip.methods.training_free import as_batch, fit_to_patches

PUBLISHED_BLOCKS = 12
"""Blocks of ViT-B, for which TagCLIP's numbers of blocks are given."""


@dataclass(frozen=True, kw_only=True)
class TagClipSettings:
    """Constants of TagCLIP; sources in `weclip.config`.

    Attributes:
        self_attention_blocks: Last blocks whose patches attend to those like them; 0: the last
            block's values alone, as in TagCLIP.
        attention_from: First block, of 12, whose attention is averaged.
        votes: Blocks, of 12, that must agree on a pair of patches.
        reidentify: Whether the class token looks at each candidate again.
        candidate_share: Between lowest and highest score of an image, where candidates begin.
        region_share: Of a candidate's map, above which a patch is in its region.
        local_weight: Of the patches' score; the class token's has the rest.
        max_side: Pixels; a longer image is seen smaller. None: never.
    """

    self_attention_blocks: int
    attention_from: int
    votes: int
    reidentify: bool
    candidate_share: float
    region_share: float
    local_weight: float
    max_side: int | None


class TagClip(nn.Module):
    """TagCLIP on a frozen CLIP.

    Args:
        maps: The frozen CLIP with its texts and its normalisation.
        settings: Constants. Numbers of blocks are scaled to CLIPs of fewer or more than 12.
    """

    needs: Sequence[str] = ("clip",)

    def __init__(self, *, maps: TagMaps, settings: TagClipSettings) -> None:
        super().__init__()
        self.maps = maps
        self.settings = settings

    @property
    def device(self) -> torch.device:
        """Where the method is."""
        return self.maps.mean.device

    @torch.no_grad()
    def forward(self, image: NDArray[np.uint8]) -> Tensor:
        """Score the classes of an image.

        Args:
            image: (H, W, 3) uint8, RGB.

        Returns:
            (C-1,) in [0, 1], higher where the class is likelier in the image.
        """
        encoder, use = self.maps.image_encoder, self.settings
        seen = fit_to_patches(image, encoder.patch_size, use.max_side)
        view = self.maps.see(as_batch(seen).to(self.device), all_maps=True)  # (1, 3, H', W')
        maps = self.local_scores(view)  # (1, C-1, h, w)
        local = maps.amax(dim=(2, 3))[0]  # (C-1,)
        if not use.reidentify:
            return local
        chosen = relative_choice(local[None], use.candidate_share)[0].nonzero()[:, 0]
        looked = torch.zeros_like(local)
        looked[chosen] = self.look_again(view, min_max(maps[0, chosen]), chosen)
        return use.local_weight * local + (1 - use.local_weight) * looked

    def local_scores(self, view: View) -> Tensor:
        """Probability (B, C-1, h, w) of each class at each patch, refined by attention."""
        use, depth = self.settings, view.encoder.depth
        if use.self_attention_blocks:
            embedding = view.patch_embedding(use.self_attention_blocks)
        else:
            embedding = value_embedding(view.encoder, view.tokens[-1])
        classes = view.probabilities(embedding[:, 1:])  # (B, N, texts)
        classes = classes[..., : len(view.class_text)].transpose(1, 2)  # (B, C-1, N)
        attention = dual_masked_attention(
            view.attention(depth),
            first=round(use.attention_from * depth / PUBLISHED_BLOCKS),
            votes=round(use.votes * depth / PUBLISHED_BLOCKS),
        )
        return refine_scores(torch.unflatten(classes, 2, view.patch_grid), attention)

    def look_again(self, view: View, maps: Tensor, chosen: Tensor) -> Tensor:
        """Class-wise re-identification: the class token sees the crop round each candidate.

        Args:
            view: Of one image.
            maps: (K, h, w) in [0, 1] of the K candidates.
            chosen: (K,) their 0-based class indices.

        Returns:
            (K,) probability of each candidate in its own crop.
        """
        encoder, patch = view.encoder, view.encoder.patch_size
        side, crops, regions = encoder.native_grid, [], []
        for region in maps > self.settings.region_share:
            y, x = region.nonzero(as_tuple=True)
            if not len(y):  # a constant map has no region of its own
                region, (y, x) = ~region, (~region).nonzero(as_tuple=True)
            y0, y1, x0, x1 = int(y.min()), int(y.max()) + 1, int(x.min()), int(x.max()) + 1
            crop = view.normalised[:, :, y0 * patch : y1 * patch, x0 * patch : x1 * patch]
            crops.append(F.interpolate(crop, (side * patch, side * patch), mode="bilinear"))
            inside = region[None, None, y0:y1, x0:x1].float()
            regions.append(F.interpolate(inside, (side, side), mode="nearest")[0] > 0)
        embedding = region_embedding(encoder, torch.cat(crops), torch.cat(regions))
        probabilities = view.probabilities(embedding)  # (K, texts)
        return probabilities.gather(1, chosen[:, None])[:, 0]
