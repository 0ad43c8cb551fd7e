"""Scores of all classes for an image by a frozen CLIP alone: which of them are in it?

Stage 4. TagCLIP: Lin et al., "TagCLIP: A Local-to-Global Framework to Enhance Open-Vocabulary
Multi-Label Classification of CLIP Without Training", AAAI 2024. The embedding of patches may also
be that of ExCEL (`dense_embedding.py`), and a memory may help it; TagCLIP has neither.
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
)
from weclip.labels.banks.embedded import Embedded
from weclip.labels.tag_maps import TagMaps
from weclip.labels.view import View
from weclip.methods.training_free import as_batch, fit_to_patches, views_of, whole_patches

PUBLISHED_BLOCKS = 12
"""Blocks of ViT-B, for which TagCLIP's numbers of blocks are given."""

MORE_TEMPLATES = (
    "there is a {} in the scene.",
    "there is the {} in the scene.",
    "this is a {} in the scene.",
    "this is the {} in the scene.",
    "this is one {} in the scene.",
)
"""Beside the 80 of ImageNet (`imagenet_templates`); released code."""

RELEASED_NAMES = {
    "motorcycle": "motorbike",
    "airplane": "aeroplane",
    "couch": "sofa",
    "potted plant": "pottedplant",
    "dining table": "diningtable",
    "tv": "tvmonitor",
}
"""What the released code calls six of COCO's classes."""


@dataclass(frozen=True, kw_only=True)
class TagClipSettings:
    """Constants of TagCLIP; sources in `weclip.config`.

    Attributes:
        self_attention_blocks: Last blocks whose patches attend to those like them; 0: the last
            block's values alone, as in TagCLIP.
        attention_from: First block, of 12, whose attention is averaged.
        votes: Blocks, of 12, that must agree on a pair of patches.
        released_boxes: As in `refine_scores`.
        reidentify: Whether the class token looks at each candidate again.
        candidate_share: Between the lowest and highest refined score of all patches and texts,
            where candidates begin.
        region_share: Of a candidate's map, above which a patch is in its region.
        local_weight: Of a candidate's own score; the class token's has the rest.
        max_side: Pixels; a longer image is seen smaller. None: never.
    """

    self_attention_blocks: int
    attention_from: int
    votes: int
    released_boxes: bool
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

    def forward(self, image: NDArray[np.uint8]) -> Tensor:
        """Score the classes of an image.

        Args:
            image: (H, W, 3) uint8, RGB.

        Returns:
            (C-1,) in [0, 1], higher where the class is likelier in the image.
        """
        return self.together([image])[0]

    def seen_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Height and width that an image (H, W) is seen at."""
        return whole_patches(size, self.maps.image_encoder.patch_size, self.settings.max_side, 1.0)

    @torch.no_grad()
    def together(
        self,
        images: Sequence[NDArray[np.uint8]],
        regions: Sequence[NDArray[np.int32]] | None = None,
    ) -> list[Tensor]:
        """As `forward` of images that are seen at one size; most of CLIP runs on all at once.

        Args:
            images: The images.
            regions: Region numbers (H, W) of each, which a memory reads; None: there is none.
        """
        patch, max_side = self.maps.image_encoder.patch_size, self.settings.max_side
        seen = torch.cat([as_batch(fit_to_patches(image, patch, max_side)) for image in images])
        view = self.maps.see(seen.to(self.device), all_maps=True)  # (B, 3, H', W')
        views = views_of(view, images, regions)
        with torch.autocast(self.device.type, enabled=False):  # but what the view computes
            return [self._scores(each) for each in views]

    def _scores(self, view: View) -> Tensor:
        """(C-1,) in [0, 1] of the only image of a view."""
        use = self.settings
        refined = self.refined_scores(view)[0]  # (M, h, w)
        scores = refined[: len(view.class_text)].amax(dim=(1, 2))  # (C-1,)
        if use.reidentify:
            low, high = refined.amin(), refined.amax()
            chosen = (scores > low + use.candidate_share * (high - low)).nonzero()[:, 0]
            looked = self.look_again(view, refined[chosen], chosen)  # of the first of them
            chosen = chosen[: len(looked)]
            scores[chosen] = use.local_weight * scores[chosen] + (1 - use.local_weight) * looked
        return scores

    def refined_scores(self, view: View) -> Tensor:
        """Probability of each text at each patch, refined by attention.

        Returns:
            (B, M, h, w), 0 or more; of background words too where candidates are looked at again.
        """
        use, depth = self.settings, view.encoder.depth
        if use.self_attention_blocks:
            made = Embedded(view.patch_embedding(use.self_attention_blocks), view.patch_grid)
            embedding = view.remembered(made).rows  # (B, N, J), not unit where it is mixed
        else:
            with view.precision():
                embedding = value_embedding(view.encoder, view.tokens[-1])[:, 1:]
        texts = view.probabilities(embedding).transpose(1, 2)  # (B, M, N)
        if not use.reidentify:
            texts = texts[:, : len(view.class_text)]
        attention = dual_masked_attention(
            view.attention(depth),
            first=round(use.attention_from * depth / PUBLISHED_BLOCKS),
            votes=round(use.votes * depth / PUBLISHED_BLOCKS),
        )
        scores = torch.unflatten(texts, 2, view.patch_grid)
        return refine_scores(scores, attention, released_boxes=use.released_boxes)

    def look_again(self, view: View, refined: Tensor, chosen: Tensor) -> Tensor:
        """Class-wise re-identification: the class token sees the crop round each candidate.

        Args:
            view: Of one image.
            refined: (K, h, w), refined scores of the K candidates.
            chosen: (K,) their 0-based class indices.

        Returns:
            (K',) probability of each candidate in its own crop; as released, of those before the
            first one whose crop is empty.
        """
        encoder, patch = view.encoder, view.encoder.patch_size
        side, crops, regions = encoder.native_grid, [], []
        for region in min_max(refined) > self.settings.region_share:
            box = crop_box(region)
            if box is None:
                break
            y0, y1, x0, x1 = box
            crop = view.normalised[:, :, y0 * patch : y1 * patch, x0 * patch : x1 * patch]
            crops.append(F.interpolate(crop, (side * patch, side * patch), mode="bilinear"))
            inside = region[None, None, y0:y1, x0:x1].float()
            regions.append(F.interpolate(inside, (side, side), mode="nearest")[0] > 0)
        if not crops:
            return refined.new_zeros(0)
        with view.precision():
            embedding = region_embedding(encoder, torch.cat(crops), torch.cat(regions))
        probabilities = view.probabilities(embedding)  # (K', M)
        return probabilities.gather(1, chosen[: len(crops), None])[:, 0]


def crop_box(region: Tensor) -> tuple[int, int, int, int] | None:
    """Rows and columns (y0, y1, x0, x1) round a region (h, w) bool; None if it is empty.

    As released it ends before the last row and column of the image.
    """
    y, x = region.nonzero(as_tuple=True)
    if not len(y):
        return None
    y1 = min(int(y.max()) + 1, region.shape[0] - 1)
    x1 = min(int(x.max()) + 1, region.shape[1] - 1)
    y0, x0 = int(y.min()), int(x.min())
    return (y0, y1, x0, x1) if y0 < y1 and x0 < x1 else None
