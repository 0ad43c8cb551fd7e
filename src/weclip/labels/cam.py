"""Softmax Grad-CAM: one map per tag from the gradient of CLIP's last block.

Stage 3, CLIP-ES section 3.2 (Lin et al., CVPR 2023), as used by WeCLIP section 3.3.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from weclip.backbones.clip_image import LastBlock


@dataclass(frozen=True)
class TagSlots:
    """The tags of a batch, packed to the largest number K of tags of one image.

    Attributes:
        index: (B, K) int64 class indices (class id minus 1), ascending; 0 in empty slots.
        filled: (B, K) bool, False in empty slots.
    """

    index: Tensor
    filled: Tensor


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

    >>> slots = pack_tags(torch.tensor([[False, True, True], [True, False, False]]))
    >>> slots.index.tolist(), slots.filled.tolist()
    ([[1, 2], [0, 0]], [[True, True], [True, False]])
    """
    counts = tags.sum(dim=1, keepdim=True)
    slots = max(1, int(counts.max()))
    order = tags.to(torch.int8).argsort(dim=1, descending=True, stable=True)[:, :slots]
    filled = torch.arange(slots, device=tags.device) < counts
    return TagSlots(order * filled, filled)


def min_max(maps: Tensor, eps: float) -> Tensor:
    """Scale each map (..., h, w) to [0, 1]: minus its minimum, over `eps` plus its maximum."""
    maps = maps - maps.amin(dim=(-2, -1), keepdim=True)
    return maps / (eps + maps.amax(dim=(-2, -1), keepdim=True))


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

    One vector-Jacobian product per slot serves all images of the batch, since images do not
    interact.

    Args:
        last: The last block, run with gradients.
        slots: The tags.
        class_text: (C-1, J) unit text features.
        background_text: (G, J) unit text features.
        scale: CLIP's temperature, the exponential of its `logit_scale`.
        patch_grid: (h, w).
        eps: Added to the maximum in the min-max scaling.
    """
    with torch.enable_grad():
        probability = _tag_probability(last.embedding, slots, class_text, background_text, scale)
        gradients = [
            torch.autograd.grad(probability[:, k].sum(), last.normalised, retain_graph=True)[0]
            for k in range(slots.index.shape[1])
        ]
    with torch.no_grad():
        weight = torch.stack(gradients, dim=1)[:, :, 1:].mean(dim=2)  # (B, K, D)
        patches = last.normalised[:, 1:]  # (B, N, D)
        maps = F.relu(torch.einsum("bkd,bnd->bkn", weight, patches))
        maps = torch.unflatten(maps, -1, patch_grid)  # (B, K, h, w)
        # Twice, as released: raw maps can be as small as eps, so that once does not reach 1.
        maps = min_max(min_max(maps, eps), eps) * slots.filled[..., None, None]
    return Cam(maps, probability.detach())


def _tag_probability(
    embedding: Tensor, slots: TagSlots, class_text: Tensor, background_text: Tensor, scale: float
) -> Tensor:
    """Softmax (B, K+G) over filled slots and background words; empty slots get 0."""
    embedding = F.normalize(embedding, dim=-1)
    of_tags = torch.einsum("bj,bkj->bk", embedding, class_text[slots.index])
    of_tags = (scale * of_tags).masked_fill(~slots.filled, -torch.inf)
    return torch.cat([of_tags, scale * embedding @ background_text.T], dim=1).softmax(dim=1)
