"""Cross-entropy of the logits against the pseudo-label, background and foreground balanced.

Stage 4, WeCLIP Eq. 9; balance as in AFA and the released code.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from weclip.data.batch import IGNORE_INDEX
from weclip.methods.loss_inputs import LossInputs, Total
from weclip.parts import loss, setting

BAND = 2**19
"""Numbers of a band of rows on a processor: 2 MiB, which its cache holds."""


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
        weight, share = given.image_weight, self.background_weight
        counts = total(count_pixels(given.target, weight))  # (2,)
        return segmentation_loss(given.logits, given.target, share, counts, weight)


def count_pixels(label_map: Tensor, image_weight: Tensor | None = None) -> Tensor:
    """Numbers of background and of foreground pixels of (B, H, W) labels: (2,) int64.

    With `image_weight` (B,), for how many images each counts, (2,) float32.
    """
    foreground = (label_map != 0) & (label_map != IGNORE_INDEX)
    kinds = torch.stack([label_map == 0, foreground])  # (2, B, H, W)
    if image_weight is None:
        return kinds.sum(dim=(1, 2, 3))
    return kinds.sum(dim=(2, 3)).to(image_weight.dtype) @ image_weight


def segmentation_loss(
    logits: Tensor,
    label_map: Tensor,
    background_weight: float = 0.5,
    counts: Tensor | None = None,
    image_weight: Tensor | None = None,
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
        image_weight: (B,), for how many images each counts; None: all for one.

    Returns:
        Scalar.
    """
    counts = count_pixels(label_map, image_weight) if counts is None else counts
    shares = torch.stack([counts[0].clamp_min(1), counts[1].clamp_min(1)]).reciprocal()
    background, foreground = background_weight * shares[0], (1 - background_weight) * shares[1]
    weight = torch.where(label_map == 0, background, foreground)
    weight = weight.masked_fill(label_map == IGNORE_INDEX, 0)
    weight = weight if image_weight is None else weight * image_weight[:, None, None]
    loss: Tensor = _CrossEntropy.apply(logits, label_map, weight)  # type: ignore[no-untyped-call]
    return loss


class _CrossEntropy(torch.autograd.Function):
    """Weighted sum of the cross-entropy of all pixels, of logits that are resized to them.

    Logits of all pixels and classes are large, and autograd would keep several such tensors. Here
    a band of rows is resized, adds to the loss and to the gradient, and is gone.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, label_map: Tensor, weight: Tensor) -> Tensor:
        """The sum, a scalar.

        Args:
            ctx: Takes the gradient to `backward`.
            logits: (B, C, h, w).
            label_map: (B, H, W) int64; what it is where the weight is 0 does not matter.
            weight: (B, H, W).
        """
        height, width = label_map.shape[1:]
        wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
        weight = weight.to(wide.dtype)
        label_map = torch.where(weight > 0, label_map, 0)
        down, along = (
            _resizing(given, wanted, wide)
            for given, wanted in zip(logits.shape[2:], (height, width), strict=True)
        )
        across = wide @ along.T  # (B, C, h, W)
        loss, gradient = wide.new_zeros(()), torch.zeros_like(across)
        most = BAND if wide.device.type == "cpu" else wide.shape[1] * height * width
        band = max(1, most // (width * wide.shape[1]))
        for image in range(len(wide)):
            for top in range(0, height, band):
                rows = slice(top, top + band)
                of_band, by_band = _band(
                    down[rows] @ across[image], label_map[image, rows], weight[image, rows]
                )
                loss += of_band
                gradient[image] += down[rows].T @ by_band
        ctx.save_for_backward((gradient @ along).to(logits.dtype))
        return loss

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None, None]:
        """Gradient by the logits."""
        (gradient,) = ctx.saved_tensors
        return gradient * upstream[0], None, None


def _band(logits: Tensor, label_map: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Weighted sum of the cross-entropy of some rows, and its gradient (C, rows, W).

    Args:
        logits: (C, rows, W); overwritten.
        label_map: (rows, W).
        weight: (rows, W).
    """
    best = logits.amax(dim=0)
    of_label = logits.gather(0, label_map[None])[0]
    exponential = logits.sub_(best).exp_()
    total = exponential.sum(dim=0)
    loss = ((total.log() + best - of_label) * weight).sum()
    gradient = exponential.mul_(weight / total)
    return loss, gradient.scatter_add_(0, label_map[None], -weight[None])


def _resizing(given: int, wanted: int, like: Tensor) -> Tensor:
    """(wanted, given), the bilinear resizing of a side as a matrix: of `F.interpolate`."""
    unit = torch.eye(given, dtype=like.dtype, device=like.device)[None]
    return F.interpolate(unit, size=wanted, mode="linear", align_corners=False)[0].T
