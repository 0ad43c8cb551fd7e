"""Maps of tags at several scales, each of the image and of its mirror image.

Stage 3, AFA section 3.1 (Ru et al., CVPR 2022) and its released code.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from weclip.labels.tag_slots import TagSlots, min_max


@dataclass(frozen=True)
class Mirrored:
    """Maps of one scale, before anything is cut off.

    Attributes:
        straight: (B, K, h, w), of the images.
        mirrored: (B, K, h, w), of the mirrored images, still mirrored.
    """

    straight: Tensor
    mirrored: Tensor


def maps_of_tags(maps: Tensor, slots: TagSlots) -> Tensor:
    """Maps (B, K, h, w) of the tags, of those of all classes (B, C-1, h, w)."""
    index = slots.index[..., None, None].expand(-1, -1, *maps.shape[2:])
    return maps.gather(1, index)


def scale_size(size: tuple[int, int], scale: float, least: int = 1) -> tuple[int, int]:
    """Height and width of an image (H, W) at a scale, truncated, and no side under `least`.

    >>> scale_size((113, 150), 0.5), scale_size((48, 64), 0.5, least=29)
    ((56, 75), (29, 32))
    """
    return max(least, int(scale * size[0])), max(least, int(scale * size[1]))


def resize(maps: Tensor, size: tuple[int, int], *, align_corners: bool = False) -> Tensor:
    """Maps (B, M, h, w), resized bilinearly."""
    if tuple(maps.shape[2:]) == size:
        return maps
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=align_corners)


def multi_scale_cam(
    scales: Sequence[Mirrored], size: tuple[int, int], filled: Tensor, eps: float
) -> Tensor:
    """One map of each tag: the larger of image and mirror image, summed over scales, scaled once.

    Args:
        scales: Maps of each scale.
        size: (H, W) of the result.
        filled: (B, K) bool, False in empty slots.
        eps: Added to the maximum where maps are scaled.

    Returns:
        (B, K, H, W) in [0, 1]; 0 in empty slots.
    """
    pairs = ((resize(s.straight, size), resize(s.mirrored, size).flip(-1)) for s in scales)
    total = torch.stack([torch.maximum(*pair).relu() for pair in pairs]).sum(dim=0)
    return min_max(total, eps) * filled[..., None, None]
