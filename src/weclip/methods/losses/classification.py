"""Binary cross-entropy of a score for each tag.

Stage 4, AFA section 3.1 and its released code (multi-label soft margin).
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from weclip.methods.loss_inputs import LossInputs, Total
from weclip.parts import loss, not_provided, setting
from weclip.system.errors import InputError


@loss("classification")
@dataclass(frozen=True, kw_only=True)
class ClassificationLoss:
    """Scores of tags against the tags, for methods that classify images (AFA)."""

    reads: ClassVar = ("class_logits",)

    weight: float = setting(1.0, source="AFA, released code", least=0)

    def __call__(self, given: LossInputs, total: Total) -> Tensor:
        """Mean over the whole batch and all tags."""
        if given.class_logits is None:
            raise InputError(not_provided("loss 'classification'", "class_logits"))
        dtype = torch.promote_types(given.class_logits.dtype, torch.float32)
        logits = given.class_logits.to(dtype)
        tags = given.tags.to(logits, non_blocking=True)
        summed = F.binary_cross_entropy_with_logits(logits, tags, reduction="sum")
        return summed / total(logits.new_full((), logits.numel()))
