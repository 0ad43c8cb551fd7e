"""Guide affinity: patches belong together if a second encoder's features of them are alike.

Stage 3. Similarities of a guide's features in the place of CLIP's attention, as CorrCLIP (Zhang et
al., ICCV 2025) has them in CLIP's last block; here they spread maps.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from weclip.labels.spreading import Refined, attention_affinity, propagate
from weclip.labels.view import View
from weclip.parts import affinity, setting

EPS = 1e-6
"""The least deviation of cosines; that of rounding is smaller."""


@affinity("guide")
@dataclass(frozen=True, kw_only=True)
class GuideAffinity:
    """Similarity of a second encoder's features, alone or times attention (after CorrCLIP)."""

    reads: ClassVar = ("attention", "guide")

    sharpness: float = setting(
        1.0, source="ours; chosen on training scenes of the demo; of standardised cosines", above=0
    )
    attention: bool = setting(True, source="ours; whether it is multiplied by CLIP's attention")
    layers: int = setting(8, source="WeCLIP, released code; last maps averaged", above=0, most=1000)
    refined_layers: int = setting(
        6, source="WeCLIP, released code; last maps a decoder chooses from", above=0, most=1000
    )
    power: int = setting(1, source="ours", above=0, most=16)

    def attention_layers(self, *, refined: bool) -> int:
        """How many of the last attention maps are read."""
        if not self.attention:
            return 1  # the least that a view forms
        return self.refined_layers if refined else self.layers

    def __call__(self, cam: Tensor, view: View, feature_affinity: Tensor | None) -> Refined:
        """Spread maps (B, K, h, w) from all patches."""
        alike = guide_similarity(view.guide_on_patches, self.sharpness)  # (B, N, N)
        if self.attention:
            layers = self.attention_layers(refined=feature_affinity is not None)
            alike = alike * attention_affinity(
                view.attention(layers), feature_affinity, signed=False
            )
        elif feature_affinity is not None:
            alike = alike * feature_affinity.detach().to(alike.dtype)
        affinity = alike / alike.sum(dim=-1, keepdim=True)
        transition = torch.linalg.matrix_power(affinity, self.power)
        return Refined(affinity, transition, propagate(cam, transition))


@torch.no_grad()
def guide_similarity(guide: Tensor, sharpness: float) -> Tensor:
    """Which patches a second encoder sees alike, rows summing to 1.

    Args:
        guide: (B, N, D) unit rows.
        sharpness: Factor of the cosines, divided by their deviation over the image, in a softmax.

    Returns:
        (B, N, N).
    """
    cosine = guide @ guide.transpose(1, 2)
    deviation = cosine.flatten(1).std(dim=1).clamp(min=EPS)
    return (sharpness * cosine / deviation[:, None, None]).softmax(dim=-1)
