"""What a term of the loss may read of a training step.

Stage 4.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from weclip.data.batch import Corrected
from weclip.labels.view import View

Total = Callable[[Tensor], Tensor]
"""Sums a tensor over the processes that share a step's batch."""


@dataclass(frozen=True)
class LossInputs:
    """A training step, ready for its losses.

    Attributes:
        logits: (B, C, h, w), with graph.
        feature_affinity: (B, N, N) in (0, 1), with graph.
        target: (B, H, W) int64 class ids, `IGNORE_INDEX` where nothing counts.
        tags: (B, C-1) bool.
        view: What the frozen encoders saw of the images; None of methods without any.
        pseudo_label: As `target`, before confident predictions took their place.
        branches: Logits (B, C, h, w) of each branch, with graph; of methods that have several.
        class_logits: (B, C-1), a score of each tag, with graph; of methods that have one.
        affinity_grid: (h, w) of the affinity's patches; None: those of the logits.
        corrected: Masks that a person corrected, which are in the labels already.
    """

    logits: Tensor
    feature_affinity: Tensor
    target: Tensor
    tags: Tensor
    view: View | None
    pseudo_label: Tensor
    branches: tuple[Tensor, ...] = ()
    class_logits: Tensor | None = None
    affinity_grid: tuple[int, int] | None = None
    corrected: Corrected | None = None

    @property
    def image_weight(self) -> Tensor | None:
        """(B,), for how many images each counts in losses that read labels; None: all for one."""
        return None if self.corrected is None else self.corrected.weight

    @property
    def patch_grid(self) -> tuple[int, int]:
        """(h, w), with h * w = N."""
        return self.affinity_grid or (self.logits.shape[-2], self.logits.shape[-1])


def at_pixels(logits: Tensor, size: tuple[int, int]) -> Tensor:
    """Logits (B, C, h, w) in float32 or finer, resized bilinearly to (B, C, H, W)."""
    exact = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return F.interpolate(exact, size=size, mode="bilinear", align_corners=False)


class Loss(Protocol):
    """A term of the loss.

    A step's batch may be shared by several processes, whose losses are added up: a term divides the
    sum over its own images by `total` of their number, and is the mean over the whole batch.
    """

    @property
    def weight(self) -> float:
        """What the term is multiplied by."""

    def __call__(self, given: LossInputs, total: Total) -> Tensor:
        """The term, a scalar."""
