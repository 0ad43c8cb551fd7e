"""Dice loss: how much predicted probabilities and the labels of each class overlap.

Stage 4, WeCLIP+, released code.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from weclip.data.batch import IGNORE_INDEX
from weclip.methods.loss_inputs import LossInputs, Total, at_pixels
from weclip.parts import loss, setting


@loss("dice")
@dataclass(frozen=True, kw_only=True)
class DiceLoss:
    """One minus the overlap of probabilities and labels, mean of all classes (WeCLIP+)."""

    weight: float = setting(1.0, source="WeCLIP+, released code", least=0)
    eps: float = setting(1e-7, source="WeCLIP+, released code; added to both areas", above=0)

    def __call__(self, given: LossInputs, total: Total) -> Tensor:
        """Of the whole batch: the overlap is no mean over images, so its sums are shared."""
        own = overlap_sums(given.logits, given.target, given.image_weight)  # (2, C)
        sums = own + (total(own.detach()) - own.detach())  # of all images; gradient by these
        dice = dice_loss(sums, self.eps).float()
        processes = total(torch.ones((), device=dice.device))
        return dice - dice.detach() * (1 - 1 / processes)  # the processes' losses are added up


def overlap_sums(logits: Tensor, label_map: Tensor, image_weight: Tensor | None = None) -> Tensor:
    """Sums over pixels for each class: probability times label, and probability plus label.

    Args:
        logits: (B, C, h, w); resized bilinearly to the labels.
        label_map: (B, H, W) int64 class ids, `IGNORE_INDEX` where nothing counts.
        image_weight: (B,), for how many images each counts; None: all for one.

    Returns:
        (2, C) float64; float32 on Apple's GPUs, which have no other.
    """
    probability = at_pixels(logits, (label_map.shape[1], label_map.shape[2])).softmax(dim=1)
    counts = label_map != IGNORE_INDEX  # (B, H, W)
    classes = torch.where(counts, label_map, 0)
    counts = counts if image_weight is None else counts * image_weight[:, None, None]
    labelled = probability.gather(1, classes[:, None])[:, 0] * counts  # of the label's class
    wide = torch.float32 if logits.device.type == "mps" else torch.float64
    zeros = probability.new_zeros(logits.shape[1], dtype=wide)  # pixels one by one
    both = zeros.index_add(0, classes.flatten(), labelled.flatten().to(wide))
    pixels = zeros.index_add(0, classes.flatten(), counts.flatten().to(wide))
    areas = (probability * counts[:, None]).sum(dim=(2, 3)).to(wide).sum(dim=0) + pixels
    return torch.stack([both, areas])


def dice_loss(sums: Tensor, eps: float) -> Tensor:
    """One minus the mean of all classes' dice, of `overlap_sums` (2, C).

    A class that is nowhere counts 0, so the loss stays above the share of those, as released.
    """
    return 1 - (2 * sums[0] / (sums[1] + eps)).mean()
