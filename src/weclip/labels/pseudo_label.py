"""From refined CAMs to a label for every pixel.

Stage 3, WeCLIP section 3.3: background score, PAR, argmax.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from weclip.data.batch import IGNORE_INDEX
from weclip.labels.pixel_refine import ParSettings, pixel_adaptive_refinement
from weclip.labels.tag_slots import TagSlots, min_max, send


@dataclass(frozen=True)
class PseudoLabel:
    """What the labels of a batch were made of.

    Attributes:
        cam: (B, K, H, W) in [0, 1], scaled and resized to pixels.
        scores: (B, 1+K, H, W) after PAR, background first; -inf in empty slots.
        label_map: (B, H, W) int64 class ids, 0 is background.
    """

    cam: Tensor
    scores: Tensor
    label_map: Tensor


@torch.no_grad()
def make_pseudo_label(
    cam: Tensor,
    slots: TagSlots,
    image: Tensor,
    *,
    size: tuple[int, int],
    eps: float,
    background_power: float,
    par: ParSettings,
    shares: bool = False,
) -> PseudoLabel:
    """Scale, resize, refine and decide.

    Args:
        cam: (B, K, h, w) refined CAMs.
        slots: Their tags.
        image: (B, 3, H', W'), whose colours guide PAR.
        size: (H, W) of the labels.
        eps: Added to the maximum in the min-max scaling.
        background_power: Exponent of the background score; more than 1 gives larger objects.
        par: Constants of PAR.
        shares: Whether maps are shares of a pixel, which are kept as they are.
    """
    cam = resize_cam(cam, slots, size, None if shares else eps)  # (B, K, H, W)
    filled = F.pad(slots.filled, (1, 0), value=True)
    scores = pixel_adaptive_refinement(
        with_background(cam, None if shares else background_power), image, par, filled
    )  # (B, 1+K, H, W)
    scores = scores.masked_fill(~filled[..., None, None], -torch.inf)
    return PseudoLabel(cam, scores, label_map_of(scores, slots.index))


def resize_cam(cam: Tensor, slots: TagSlots, size: tuple[int, int], eps: float | None) -> Tensor:
    """Scale maps (B, K, h, w) to [0, 1] and resize them to (B, K, H, W); 0 in empty slots.

    `eps` None: they are shares, which are not scaled.
    """
    scaled = cam if eps is None else min_max(cam, eps)
    cam = F.interpolate(scaled, size=size, mode="bilinear", align_corners=False)
    return cam * slots.filled[..., None, None]


def with_background(cam: Tensor, power: float | None) -> Tensor:
    """Scores (B, 1+K, H, W) of maps (B, K, H, W), background first.

    Its score is (1 - max)^power; with `power` None the maps are shares, and it has what they leave.
    """
    if power is None:
        background = (1 - cam.sum(dim=1, keepdim=True)).clamp(min=0)
    else:
        background = (1 - cam.amax(dim=1, keepdim=True)) ** power
    return torch.cat([background, cam], dim=1)


def label_map_of(scores: Tensor, index: Tensor) -> Tensor:
    """Class ids (B, H, W) of the best of (B, 1+K, H, W) scores, background first.

    Args:
        scores: Of background and slots.
        index: (B, K) int64 class indices of the slots.
    """
    class_ids = F.pad(index + 1, (1, 0))  # (B, 1+K)
    best = best_of(scores)  # (B, H, W)
    return class_ids.gather(1, best.flatten(1)).view_as(best)


def best_of(scores: Tensor, dim: int = 1) -> Tensor:
    """Index of the greatest score along a dimension; the first of equal ones, NaN above all.

    The same as `argmax`, which on a processor takes 30 times as long where a dimension is not the
    last.
    """
    return scores.max(dim=dim).indices


def without_padding(label_map: Tensor, content_box: Tensor) -> Tensor:
    """Set labels (B, H, W) outside the content boxes (B, 4) to `IGNORE_INDEX`."""
    y = torch.arange(label_map.shape[1], device=label_map.device)[:, None]
    x = torch.arange(label_map.shape[2], device=label_map.device)
    y0, x0, y1, x1 = send(content_box, label_map.device).T[..., None, None]
    inside = (y >= y0) & (y < y1) & (x >= x0) & (x < x1)
    return label_map.masked_fill(~inside, IGNORE_INDEX)
