"""No affinity: maps stay as they are.

Stage 3.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from weclip.labels.spreading import Refined
from weclip.labels.view import View
from weclip.parts import affinity


@affinity("none")
@dataclass(frozen=True)
class NoAffinity:
    """Maps stay as they are."""

    reads: ClassVar = ()

    def __call__(self, cam: Tensor, view: View, feature_affinity: Tensor | None) -> Refined:
        """The maps (B, K, h, w), with the identity as their transition."""
        batch, patches = cam.shape[0], cam.shape[-2] * cam.shape[-1]
        same = torch.eye(patches, device=cam.device).expand(batch, -1, -1)
        return Refined(same, same, cam)
