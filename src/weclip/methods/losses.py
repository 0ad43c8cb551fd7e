"""Losses of the segmentation and of the decoder's affinity.

Stage 4, WeCLIP Eq. 9 to 11; balance and window as in AFA and the released code.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from weclip.data.batch import IGNORE_INDEX


def count_pixels(label_map: Tensor) -> Tensor:
    """Numbers of background and of foreground pixels of (B, H, W) labels: (2,) int64."""
    foreground = (label_map != 0) & (label_map != IGNORE_INDEX)
    return torch.stack([(label_map == 0).sum(), foreground.sum()])


def count_pairs(labels: Tensor) -> Tensor:
    """Numbers of equal and of different pairs of `affinity_labels`: (2,) int64."""
    return torch.stack([(labels == 1).sum(), (labels == 0).sum()])


def segmentation_loss(
    logits: Tensor,
    label_map: Tensor,
    background_weight: float = 0.5,
    counts: Tensor | None = None,
) -> Tensor:
    """Cross-entropy, averaged over background and over foreground pixels apart.

    A part without pixels counts 0 (the released code gives NaN there).

    Args:
        logits: (B, C, h, w); resized bilinearly to the labels.
        label_map: (B, H, W) int64 class ids, `IGNORE_INDEX` where nothing counts.
        background_weight: Share of the background's mean; as released, one half. Where objects
            are small that is far more weight than their pixels have, and masks come out large.
        counts: `count_pixels` of the whole batch, if these are some of its images: their losses
            then add up to that of the whole batch.

    Returns:
        Scalar.
    """
    counts = count_pixels(label_map) if counts is None else counts
    logits = F.interpolate(
        logits.float(), size=label_map.shape[-2:], mode="bilinear", align_corners=False
    )
    loss = F.cross_entropy(logits, label_map, ignore_index=IGNORE_INDEX, reduction="none")
    background = label_map == 0
    foreground = (label_map != 0) & (label_map != IGNORE_INDEX)
    of_background = (loss * background).sum() / counts[0].clamp_min(1)
    of_foreground = (loss * foreground).sum() / counts[1].clamp_min(1)
    return background_weight * of_background + (1 - background_weight) * of_foreground


def affinity_labels(label_map: Tensor, patch_grid: tuple[int, int], radius: int) -> Tensor:
    """Whether two patches have the same label.

    Args:
        label_map: (B, H, W) int64; sampled at the patches by nearest neighbour.
        patch_grid: (h, w).
        radius: Pairs further apart than this many patches, in y or in x, do not count.

    Returns:
        (B, N, N) uint8: 1 same, 0 different, `IGNORE_INDEX` where the pair does not count.
    """
    patches = F.interpolate(label_map[:, None].float(), size=patch_grid, mode="nearest")
    labels = patches.flatten(1)  # (B, N)
    same = (labels[:, :, None] == labels[:, None, :]).to(torch.uint8)
    rows = torch.arange(patch_grid[0], device=labels.device).repeat_interleave(patch_grid[1])
    columns = torch.arange(patch_grid[1], device=labels.device).repeat(patch_grid[0])
    far = (
        torch.maximum((rows[:, None] - rows).abs(), (columns[:, None] - columns).abs()) > radius
    )  # (N, N)
    ignored = labels == IGNORE_INDEX
    skip = far | ignored[:, :, None] | ignored[:, None, :]
    return same.masked_fill(skip, IGNORE_INDEX)


def affinity_loss(feature_affinity: Tensor, labels: Tensor, counts: Tensor | None = None) -> Tensor:
    """Pull equal pairs towards 1 and different ones towards 0, each kind weighing one half.

    Args:
        feature_affinity: (B, N, N) in (0, 1).
        labels: (B, N, N) from `affinity_labels`.
        counts: `count_pairs` of the whole batch, if these are some of its images.

    Returns:
        Scalar.
    """
    counts = count_pairs(labels) if counts is None else counts
    same, different = (labels == 1).float(), (labels == 0).float()
    positive = ((1 - feature_affinity) * same).sum() / (counts[0] + 1)
    negative = (feature_affinity * different).sum() / (counts[1] + 1)
    return 0.5 * (positive + negative)
