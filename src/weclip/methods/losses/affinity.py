"""The decoder's affinity against pairs of patches of the pseudo-label.

Stage 4, WeCLIP Eq. 10 and 11; window as in AFA and the released code.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from weclip.data.batch import IGNORE_INDEX
from weclip.labels.spreading import near_pairs
from weclip.methods.loss_inputs import LossInputs, Total
from weclip.parts import loss, setting


@loss("affinity")
@dataclass(frozen=True, kw_only=True)
class AffinityLoss:
    """Patches of one label pulled together, others pushed apart (WeCLIP Eq. 10)."""

    weight: float = setting(0.1, source="WeCLIP Eq. 11, released code", least=0)
    radius: int = setting(8, source="AFA, released code; patches, in x and in y", least=0, most=512)

    def __call__(self, given: LossInputs, total: Total) -> Tensor:
        """Mean over the whole batch of both kinds of pairs."""
        pairs = affinity_labels(given.pseudo_label, given.patch_grid, self.radius)  # (B, N, N)
        weight = given.image_weight
        return affinity_loss(
            given.feature_affinity, pairs, total(count_pairs(pairs, weight)), weight
        )


def count_pairs(labels: Tensor, image_weight: Tensor | None = None) -> Tensor:
    """Numbers of equal and of different pairs of `affinity_labels`: (2,) int64.

    With `image_weight` (B,), for how many images each counts, (2,) float32.
    """
    kinds = torch.stack([labels == 1, labels == 0])  # (2, B, N, N)
    if image_weight is None:
        return kinds.sum(dim=(1, 2, 3))
    return kinds.sum(dim=(2, 3)).to(image_weight.dtype) @ image_weight


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
    far = ~near_pairs(patch_grid, radius, labels.device)  # (N, N)
    ignored = labels == IGNORE_INDEX
    skip = far | ignored[:, :, None] | ignored[:, None, :]
    return same.masked_fill(skip, IGNORE_INDEX)


def affinity_loss(
    feature_affinity: Tensor,
    labels: Tensor,
    counts: Tensor | None = None,
    image_weight: Tensor | None = None,
) -> Tensor:
    """Pull equal pairs towards 1 and different ones towards 0, each kind weighing one half.

    Args:
        feature_affinity: (B, N, N) in (0, 1).
        labels: (B, N, N) from `affinity_labels`.
        counts: `count_pairs` of the whole batch, if these are some of its images.
        image_weight: (B,), for how many images each counts; None: all for one.

    Returns:
        Scalar.
    """
    counts = count_pairs(labels, image_weight) if counts is None else counts
    same, different = (labels == 1).float(), (labels == 0).float()
    if image_weight is not None:
        same, different = (kind * image_weight[:, None, None] for kind in (same, different))
    positive = ((1 - feature_affinity) * same).sum() / (counts[0] + 1)
    negative = (feature_affinity * different).sum() / (counts[1] + 1)
    return 0.5 * (positive + negative)
