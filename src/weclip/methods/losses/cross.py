"""Each branch of a decoder learns from what the other one predicts.

Stage 4, WeCLIP+, released code.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from weclip.data.batch import IGNORE_INDEX
from weclip.labels.pseudo_label import best_of
from weclip.methods.loss_inputs import LossInputs, Total, at_pixels
from weclip.methods.losses.segmentation import count_pixels, segmentation_loss
from weclip.parts import loss, setting


@loss("cross")
@dataclass(frozen=True, kw_only=True)
class CrossLoss:
    """Cross-entropy of each branch against the best classes of the other (WeCLIP+)."""

    reads: ClassVar = ("branches",)

    weight: float = setting(0.1, source="WeCLIP+, released code; of each of the two", least=0)
    background_weight: float = setting(
        0.5, source="WeCLIP+, released code; share of the background's mean", least=0, most=1
    )

    def __call__(self, given: LossInputs, total: Total) -> Tensor:
        """The sum over both branches, each a mean over the whole batch of both kinds of pixels."""
        one, other = given.branches
        losses = []
        for logits, teacher in ((one, other), (other, one)):
            labels = predicted_labels(teacher, given.target)
            counts = total(count_pixels(labels))
            losses.append(segmentation_loss(logits, labels, self.background_weight, counts))
        return torch.stack(losses).sum()


@torch.no_grad()
def predicted_labels(logits: Tensor, target: Tensor) -> Tensor:
    """Best classes (B, H, W) of logits (B, C, h, w) resized to the target.

    Pixels that do not count in the target (B, H, W) do not count here either.
    """
    labels = best_of(at_pixels(logits, (target.shape[1], target.shape[2])))
    return labels.masked_fill(target == IGNORE_INDEX, IGNORE_INDEX)
