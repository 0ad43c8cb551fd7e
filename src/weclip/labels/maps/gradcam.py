"""Softmax Grad-CAM: one map per tag from the gradient of CLIP's last block.

Stage 3, CLIP-ES section 3.2 (Lin et al., CVPR 2023), as used by WeCLIP section 3.3.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from weclip.backbones.clip.last_block import LastBlock
from weclip.labels.tag_slots import TagSlots, min_max
from weclip.labels.view import View
from weclip.parts import map_source, setting


@map_source("gradcam")
@dataclass(frozen=True, kw_only=True)
class GradCam:
    """Gradient of a tag's probability among the image's tags and background words (CLIP-ES)."""

    reads: ClassVar = ("last_block",)

    min_max_eps: float = setting(1e-7, source="released code; added to a map's maximum", above=0)

    def __call__(self, view: View, slots: TagSlots) -> Tensor:
        """Maps (B, K, h, w) in [0, 1]; 0 in empty slots."""
        last = view.last_block
        with view.backward_precision():  # of its large products
            return softmax_gradcam(
                last,
                slots,
                class_text=view.class_text,
                background_text=view.background_text,
                scale=view.scale,
                patch_grid=view.patch_grid,
                eps=self.min_max_eps,
            ).cam


@dataclass(frozen=True)
class Cam:
    """Class activation maps of a batch.

    Attributes:
        cam: (B, K, h, w) in [0, 1], min-max scaled; 0 in empty slots.
        probability: (B, K+G), softmax over the image's tags and the G background words.
    """

    cam: Tensor
    probability: Tensor


@torch.no_grad()
def softmax_gradcam(
    last: LastBlock,
    slots: TagSlots,
    *,
    class_text: Tensor,
    background_text: Tensor,
    scale: float,
    patch_grid: tuple[int, int],
    eps: float,
) -> Cam:
    """Grad-CAM of the probability of each tag among the image's tags and background words.

    All tags of all images in one pass; tags that are not there cost nothing.

    Args:
        last: The last block.
        slots: The tags.
        class_text: (C-1, J) unit text features.
        background_text: (G, J) unit text features.
        scale: CLIP's temperature, the exponential of its `logit_scale`.
        patch_grid: (h, w).
        eps: Added to the maximum in the min-max scaling.
    """
    image, slot = slots.image, slots.slot
    texts = torch.cat(
        [class_text[slots.index], background_text.expand(len(slots.index), -1, -1)], dim=1
    )  # (B, K+G, J)
    unit = F.normalize(last.embedding, dim=-1)  # (B, J)
    logits = scale * (unit[:, None] * texts).sum(-1)
    there = F.pad(slots.filled, (0, background_text.shape[0]), value=True)
    probability = logits.masked_fill(~there, -torch.inf).softmax(dim=1)  # (B, K+G)
    upstream = _probability_gradient(probability, texts, unit, image, slot)
    upstream = upstream * scale / last.embedding.norm(dim=-1, keepdim=True)[image]
    weight = last.mean_gradient(upstream, image)  # (P, D)
    raw = F.relu((weight[:, None] * last.normalised[image, 1:]).sum(-1))  # (P, N)
    maps = raw.new_zeros(*slots.index.shape, *patch_grid)  # (B, K, h, w)
    maps[image, slot] = torch.unflatten(raw, 1, patch_grid)
    # Twice, as released: raw maps can be as small as eps, so that once does not reach 1.
    return Cam(min_max(min_max(maps, eps), eps), probability)


def _probability_gradient(
    probability: Tensor, texts: Tensor, unit: Tensor, image: Tensor, slot: Tensor
) -> Tensor:
    """Gradient (P, J) of some softmax probabilities by the embedding, up to scale over norm.

    Args:
        probability: (B, K+G).
        texts: (B, K+G, J).
        unit: (B, J) embeddings of unit length.
        image: (P,), whose probability.
        slot: (P,), of which text.
    """
    mean_text = (probability[..., None] * texts).sum(1)[image]
    by_unit = probability[image, slot][:, None] * (texts[image, slot] - mean_text)
    unit = unit[image]
    return by_unit - (by_unit * unit).sum(-1, keepdim=True) * unit
