"""Scores with a constant background, and the label that a low and a high one agree on.

Stage 3, AFA's released code: no map needs to be right where the two of them differ.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from weclip.data.batch import IGNORE_INDEX
from weclip.labels.pixel_refine import ParSettings
from weclip.labels.pseudo_label import label_map_of


@dataclass(frozen=True, kw_only=True)
class Backgrounds:
    """The two background scores, and what refines the labels of both.

    Attributes:
        low: Beside it many pixels are objects.
        high: Beside it few are.
        par: Constants of PAR.
    """

    low: float
    high: float
    par: ParSettings

    @property
    def both(self) -> tuple[float, float]:
        """Low, then high."""
        return self.low, self.high


def tag_softmax(cam: Tensor, filled: Tensor, background: float) -> Tensor:
    """Scores (B, 1+K, h, w) of maps (B, K, h, w): softmax of a constant, and of the tags' maps.

    No temperature is used, so scores are flat. Empty slots, by `filled` (B, K), get 0.
    """
    constant = torch.full_like(cam[:, :1], background)
    scores = torch.cat([constant, cam.masked_fill(~filled[..., None, None], -torch.inf)], dim=1)
    return scores.softmax(dim=1)


def both_softmax(cam: Tensor, filled: Tensor, backgrounds: Backgrounds) -> Tensor:
    """Scores (B, 2(1+K), h, w) beside the low background, then those beside the high one."""
    return torch.cat([tag_softmax(cam, filled, each) for each in backgrounds.both], dim=1)


def both_filled(filled: Tensor) -> Tensor:
    """(B, 2(1+K)) bool, which maps of `both_softmax` are no empty slots."""
    return F.pad(filled, (1, 0), value=True).repeat(1, 2)


def agreed_label(scores: Tensor, index: Tensor) -> Tensor:
    """Class ids (B, H, W) of scores (B, 2(1+K), H, W), low first; see `agreement`.

    Args:
        scores: Empty slots have 0, which is less than any other score.
        index: (B, K) int64 class indices of the slots.
    """
    low, high = scores.chunk(2, dim=1)
    return agreement(label_map_of(low, index), label_map_of(high, index))


def agreement(low: Tensor, high: Tensor) -> Tensor:
    """The class of the high label; 0 where both are background; else `IGNORE_INDEX`.

    >>> agreement(torch.tensor([0, 3, 3]), torch.tensor([0, 0, 3])).tolist()
    [0, 255, 3]
    """
    unsure = torch.where(low == 0, 0, IGNORE_INDEX)
    return torch.where(high > 0, high, unsure)


def thresholded_label(cam: Tensor, index: Tensor, threshold: float) -> Tensor:
    """Class ids (B, H, W): the best tag's where its map (B, K, H, W) is above, else background."""
    best = cam.max(dim=1)
    classes = (index + 1).gather(1, best.indices.flatten(1)).view_as(best.indices)
    return torch.where(best.values > threshold, classes, 0)
