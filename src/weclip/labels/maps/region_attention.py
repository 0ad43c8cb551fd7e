"""Region-attention maps: CLIP's last attention rebuilt from a guide encoder's, inside regions.

Stage 3. Zhang, Liu, Tang, "CorrCLIP: Reconstructing Patch Correlations in CLIP for Open-Vocabulary
Semantic Segmentation", ICCV 2025. The whole image at once, on the guide's own grid; windows, as
released, are `methods/windows`.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from weclip.labels.banks.embedded import Embedded
from weclip.labels.maps.text_probability import shares_of
from weclip.labels.region_attention.embedding import (
    RegionAttentionSettings,
    RegionEmbedding,
    region_embedding,
)
from weclip.labels.tag_slots import TagSlots
from weclip.labels.view import View
from weclip.parts import map_source, quirk, setting


@map_source("region_attention")
@dataclass(frozen=True, kw_only=True)
class RegionAttention:
    """Probabilities of patches that see their own region, through a guide's features (CorrCLIP)."""

    reads: ClassVar = ("tokens", "guide", "regions")
    shares: ClassVar = True
    on_guide_grid: ClassVar = True

    temperature: float = setting(4.0, source="CorrCLIP, released code; factor of cosines", above=0)
    spatial_weight: float = setting(1.0, source="CorrCLIP, released code", least=0)
    semantic_weight: float = setting(0.5, source="CorrCLIP, released code", least=0)
    merge_regions: bool = setting(
        False, source="CorrCLIPv2, released code: none; its first version makes alike regions one"
    )
    merge_distance: float = setting(
        0.2, source="CorrCLIP, released code; about 1 - cosine", least=0, most=2
    )
    scale: float = setting(
        40.0, source="CorrCLIP, released code; factor of cosines of texts", above=0
    )
    least_id_is_none: bool = quirk("released code of CorrCLIP; see `no_region_id`")

    @property
    def settings(self) -> RegionAttentionSettings:
        """The constants of the embedding."""
        return RegionAttentionSettings(
            temperature=self.temperature,
            spatial_weight=self.spatial_weight,
            semantic_weight=self.semantic_weight,
            merge_regions=self.merge_regions,
            merge_distance=self.merge_distance,
            least_id_is_none=self.least_id_is_none,
        )

    def __call__(self, view: View, slots: TagSlots) -> Tensor:
        """Shares (B, K, h', w') in [0, 1] on the guide's grid; 0 in empty slots."""
        return shares_of(view.remembered(self.embedded(view)), view, slots, self.scale)

    def embedded(self, view: View) -> Embedded:
        """CorrCLIP's features, of the guide's patches."""
        rows = [self.of_image(view.of_image(index)).unit() for index in range(len(view.rgb))]
        return Embedded(torch.stack(rows), view.guide.patch_grid)

    @property
    def embedding_name(self) -> str:
        """As in `Embedder`."""
        return f"region attention, {self.settings}"

    def of_image(self, view: View) -> RegionEmbedding:
        """CorrCLIP's features of one image."""
        with view.precision():
            return region_embedding(
                view.encoder,
                view.entering,
                view.patch_grid,
                view.guide.features[0],
                view.guide.patch_grid,
                view.regions[0],
                self.settings,
            )
