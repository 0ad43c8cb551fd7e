"""Attention affinity: maps are spread by a transition made of CLIP's own attention, inside boxes.

Stage 3, CLIP-ES section 3.4 (class-aware attention affinity), and WeCLIP section 3.3.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from weclip.labels.boxes import box_mask
from weclip.labels.spreading import Refined, attention_affinity, propagate, sinkhorn_transition
from weclip.labels.view import View
from weclip.parts import affinity, quirk, setting


@affinity("attention")
@dataclass(frozen=True, kw_only=True)
class Attention:
    """Mean attention of the last blocks, made a transition, within boxes (CLIP-ES, WeCLIP)."""

    reads: ClassVar = ("attention",)

    layers: int = setting(8, source="WeCLIP, released code; last maps averaged", above=0, most=1000)
    refined_layers: int = setting(
        6,
        source="WeCLIP, released code; last maps a decoder chooses from; COCO 10",
        above=0,
        most=1000,
    )
    summed_layers: int = setting(
        0,
        source="ExCEL, released code: 5; last maps that are sums over heads, not means",
        least=0,
        most=1000,
    )
    signed_layer_distance: bool = quirk("released code of WeCLIP; see `refined_affinity`")
    sinkhorn_rounds: int = setting(3, source="CLIP-ES, released code", least=0, most=1000)
    power: int = setting(2, source="CLIP-ES squares the transition", above=0, most=16)
    refined_boxes: bool = setting(
        True, source="WeCLIP; whether boxes count where a decoder refines; WeCLIP+ on VOC: false"
    )
    box_threshold: float = setting(
        0.4, source="CLIP-ES, released code; share of a map's maximum; COCO 0.7", least=0, most=1
    )
    exclusive_box_edge: bool = quirk("released code of CLIP-ES; see `box_mask`")

    def attention_layers(self, *, refined: bool) -> int:
        """How many of the last attention maps are read."""
        return self.refined_layers if refined else self.layers

    def __call__(self, cam: Tensor, view: View, feature_affinity: Tensor | None) -> Refined:
        """Spread maps (B, K, h, w) from all patches, or those inside their boxes."""
        maps = view.attention(self.attention_layers(refined=feature_affinity is not None))
        if self.summed_layers:
            first = max(0, len(maps) - self.summed_layers)
            maps = torch.cat([maps[:first], view.encoder.heads * maps[first:]])  # (L', B, N, N)
        affinity = attention_affinity(maps, feature_affinity, signed=self.signed_layer_distance)
        transition = sinkhorn_transition(affinity, self.sinkhorn_rounds, self.power)
        mask = None
        if self.refined_boxes or feature_affinity is None:
            mask = box_mask(cam, self.box_threshold, exclusive_edge=self.exclusive_box_edge)
        return Refined(affinity, transition, propagate(cam, transition, mask), mask)
