"""What a guide encoder makes of a window: of the window alone, or of the whole image, cut.

Stage 4. Zhang, Liu, Tang, "CorrCLIP", ICCV 2025: the first version sees the window, the second one
the image.
"""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from weclip.backbones.dino.image_encoder import DinoImageEncoder
from weclip.backbones.guide import Guide
from weclip.data.windows import Window, whole
from weclip.labels.banks.region_features import as_maps
from weclip.labels.resizing import planes, resized
from weclip.methods.windows.cutting import Cut

WindowGuide = Callable[[Cut], Guide]
"""A window -> features of one image, unit rows, on the fine grid."""

WINDOW, WHOLE = "window-query-key", "whole"
GUIDES = (WINDOW, WHOLE)
"""Queries plus keys of the last block on each window; patch tokens of the whole image."""


def window_guide(encoder: DinoImageEncoder) -> WindowGuide:
    """Queries plus keys of each window, on the guide's own grid."""

    def of(cut: Cut) -> Guide:
        return encoder.query_key(cut.rgb)

    return of


def whole_guide(guide: Guide, patch_size: int) -> WindowGuide:
    """Features of the whole image, cut, on a grid twice as fine as CLIP's.

    Args:
        guide: Of the whole image; see `whole_features`.
        patch_size: CLIP's.
    """

    def of(cut: Cut) -> Guide:
        part = at_pixels(guide, cut.image_size, cut.window)
        padded = F.pad(part[None], cut.padding, mode="replicate")
        height, width = (2 * (side // patch_size) for side in cut.size)
        fine = F.interpolate(padded, (height, width), mode="bilinear", align_corners=False)
        rows = F.normalize(fine.flatten(2).transpose(1, 2), dim=-1)
        return Guide(rows, (height, width))

    return of


def whole_features(encoder: DinoImageEncoder, image: NDArray[np.uint8]) -> Guide:
    """Patch tokens of an image (H, W, 3) whose sides are resized to the nearest whole patches."""
    patch = encoder.patch_size
    height, width = (max(patch, round(side / patch) * patch) for side in image.shape[:2])
    levels = planes(image)[None].to(encoder.mean.device, encoder.mean.dtype)
    sized = F.interpolate(levels, (height, width), mode="bilinear", align_corners=False)
    guide: Guide = encoder(sized)
    return guide


@torch.no_grad()
def at_pixels(guide: Guide, size: tuple[int, int], window: Window | None = None) -> Tensor:
    """Features at an image's pixels, bilinear, unit at each.

    Args:
        guide: Of one image.
        size: (H, W).
        window: The rows and columns wanted; None: all of them.

    Returns:
        (J_g, rows, columns) float32.
    """
    return F.normalize(resized(as_maps(guide), size, window or whole(size)), dim=0)
