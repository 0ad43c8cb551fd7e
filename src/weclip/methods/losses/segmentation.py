"""Cross-entropy of the logits against the pseudo-label, background and foreground balanced.

Stage 4, WeCLIP Eq. 9; balance as in AFA and the released code.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from weclip.data.batch import IGNORE_INDEX
from weclip.methods.loss_inputs import LossInputs, Total, at_pixels
from weclip.parts import loss, setting


@loss("segmentation")
@dataclass(frozen=True, kw_only=True)
class SegmentationLoss:
    """Cross-entropy against the pseudo-label, background and foreground balanced (WeCLIP Eq. 9)."""

    weight: float = setting(1.0, source="WeCLIP Eq. 11", least=0)
    background_weight: float = setting(
        0.5, source="AFA, released code; share of the background's mean", least=0, most=1
    )

    def __call__(self, given: LossInputs, total: Total) -> Tensor:
        """Mean over the whole batch of both kinds of pixels."""
        counts = total(count_pixels(given.target))  # (2,)
        return segmentation_loss(given.logits, given.target, self.background_weight, counts)


def count_pixels(label_map: Tensor) -> Tensor:
    """Numbers of background and of foreground pixels of (B, H, W) labels: (2,) int64."""
    foreground = (label_map != 0) & (label_map != IGNORE_INDEX)
    return torch.stack([(label_map == 0).sum(), foreground.sum()])


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
    logits = at_pixels(logits, (label_map.shape[1], label_map.shape[2]))
    loss = F.cross_entropy(logits, label_map, ignore_index=IGNORE_INDEX, reduction="none")
    background = label_map == 0
    foreground = (label_map != 0) & (label_map != IGNORE_INDEX)
    of_background = (loss * background).sum() / counts[0].clamp_min(1)
    of_foreground = (loss * foreground).sum() / counts[1].clamp_min(1)
    return background_weight * of_background + (1 - background_weight) * of_foreground
