"""Softmax Grad-CAM: one map per tag from the gradient of CLIP's last block.

Stage 3, CLIP-ES section 3.2 (Lin et al., CVPR 2023), as used by WeCLIP section 3.3.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from weclip.backbones.clip.last_block import LastBlock


@dataclass(frozen=True)
class TagSlots:
    """The tags of a batch, packed to the largest number K of tags of one image.

    Attributes:
        index: (B, K) int64 class indices (class id minus 1), ascending; 0 in empty slots.
        filled: (B, K) bool, False in empty slots.
        image: (P,) int64, the image of each of the P filled slots.
        slot: (P,) int64, its slot.
    """

    index: Tensor
    filled: Tensor
    image: Tensor
    slot: Tensor

    def to(self, device: torch.device) -> "TagSlots":
        """The same tags on `device`."""
        parts = (self.index, self.filled, self.image, self.slot)
        return TagSlots(*(part.to(device, non_blocking=True) for part in parts))


@dataclass(frozen=True)
class Cam:
    """Class activation maps of a batch.

    Attributes:
        cam: (B, K, h, w) in [0, 1], min-max scaled; 0 in empty slots.
        probability: (B, K+G), softmax over the image's tags and the G background words.
    """

    cam: Tensor
    probability: Tensor


def pack_tags(tags: Tensor) -> TagSlots:
    """Pack multi-hot tags (B, C-1) bool into slots; K is at least 1.

    How many there are decides shapes: tags that lie on the host spare a device a wait.

    >>> slots = pack_tags(torch.tensor([[False, True, True], [True, False, False]]))
    >>> slots.index.tolist(), slots.filled.tolist()
    ([[1, 2], [0, 0]], [[True, True], [True, False]])
    """
    counts = tags.sum(dim=1, keepdim=True)
    slots = max(1, int(counts.max()))
    order = tags.to(torch.int8).argsort(dim=1, descending=True, stable=True)[:, :slots]
    filled = torch.arange(slots, device=tags.device) < counts
    return TagSlots(order * filled, filled, *filled.nonzero(as_tuple=True))


def tag_slots(tags: Sequence[int], classes: int) -> TagSlots:
    """Slots of one image from its 0-based class indices, of C-1 `classes`."""
    multi_hot = torch.zeros(1, classes, dtype=torch.bool)
    multi_hot[0, list(tags)] = True
    return pack_tags(multi_hot)


def min_max(maps: Tensor, eps: float) -> Tensor:
    """Scale each map (..., h, w) to [0, 1]: minus its minimum, over `eps` plus its maximum."""
    maps = maps - maps.amin(dim=(-2, -1), keepdim=True)
    return maps / (eps + maps.amax(dim=(-2, -1), keepdim=True))


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
