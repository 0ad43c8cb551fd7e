"""Logits of an image at several scales, and of its mirror image.

Stage 6; WeCLIP section 4.1 and the released test script.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from weclip.inference.prediction import MAX
from weclip.labels.regions.given import mirrored
from weclip.labels.regions.regions import Regions

Segmenter = Callable[[Tensor], Tensor]
"""(B, 3, H, W) float32 RGB in [0, 255] -> (B, C, h, w) logits at patch stride."""


def multi_scale_logits(
    model: Segmenter, image: Tensor, *, scales: Sequence[float], flip: bool, merge: str = "mean"
) -> Tensor:
    """Merge logits of scales, each averaged with those of the mirrored image.

    Args:
        model: Maps (B, 3, H, W) to (B, C, h, w).
        image: (B, 3, H, W).
        scales: Factors of the image size, at least one.
        flip: Also run the mirrored image, and turn its logits back.
        merge: `mean`, or `max` for the largest logit of all scales.

    Returns:
        (B, C, h, w) on the logit grid of scale 1 (or of the scale nearest to 1).
    """
    total: Tensor | None = None
    for scale in sorted(scales, key=lambda s: abs(s - 1)):  # the grid's owner first
        scaled = image
        if scale != 1:
            scaled = F.interpolate(image, scale_factor=scale, mode="bilinear", align_corners=False)
        if flip:
            straight, turned = model(torch.cat([scaled, scaled.flip(-1)])).chunk(2)
            logits = (straight + turned.flip(-1)) / 2
        else:
            logits = model(scaled)
        if total is None:
            total = logits.float()
        else:
            grid = (total.shape[2], total.shape[3])
            logits = F.interpolate(logits.float(), grid, mode="bilinear", align_corners=False)
            total = torch.maximum(total, logits) if merge == MAX else total + logits
    if total is None:
        raise ValueError("multi_scale_logits needs at least one scale")
    return total if merge == MAX else total / len(scales)


def of_regions(model: Any, regions: Regions) -> Segmenter:
    """What segments one image whose regions are given, alone or followed by its mirror image.

    Args:
        model: Maps (B, 3, H, W) and B regions, of any size, to (B, C, h, w).
        regions: Of the image that is not mirrored.
    """
    both = (regions, mirrored(regions))

    def segment(images: Tensor) -> Tensor:
        logits: Tensor = model(images, regions=both[: len(images)])
        return logits

    return segment
