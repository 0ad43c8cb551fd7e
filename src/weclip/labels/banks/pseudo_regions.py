"""Regions of a bank from pseudo-masks: pure inside each class, and pure among those of a class.

Stage 3. He, Liu, Zhang, Wei, Tang, "ModuSeg", arXiv 2604.07021; constants as in its released code.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from weclip.data.batch import IGNORE_INDEX


def inner(mask: Tensor, reach: int) -> Tensor:
    """Pixels whose neighbours within `reach` rows and columns are all in a mask.

    What lies outside of the image counts as inside, so that its border takes nothing away. Twenty
    erosions with a square of 3 x 3 are one with a reach of 20.

    Args:
        mask: (H, W) bool.
        reach: Pixels, 0 or more.
    """
    outside = (~mask).float()[None, None]
    down = F.max_pool2d(outside, (2 * reach + 1, 1), 1, (reach, 0))
    return F.max_pool2d(down, (1, 2 * reach + 1), 1, (0, reach))[0, 0] == 0


def pseudo_regions(label_map: Tensor, *, reach: int, least: int) -> dict[int, Tensor]:
    """The inner part of each class of a pseudo-mask; background last.

    Args:
        label_map: (H, W) class ids, 0 background; 255 is no class.
        reach: As in `inner`.
        least: Pixels that an inner part has at least.

    Returns:
        Class id -> mask (H, W) bool.
    """
    present = [each for each in ids_in(label_map) if each != IGNORE_INDEX]
    found = {each: inner(label_map == each, reach) for each in sorted(present, key=_last)}
    return {each: mask for each, mask in found.items() if int(mask.sum()) >= least}


def ids_in(ids: Tensor) -> list[int]:
    """The ids that are there, ascending."""
    return [int(each) for each in torch.unique(ids)]


def _last(class_id: int) -> int:
    """Sorts 0 behind all others."""
    return class_id or 256


def purified(features: Tensor, classes: Tensor, *, share: float, background: float) -> Tensor:
    """Which features stay: of each class, those farthest from its mean are dropped.

    Args:
        features: (R, J).
        classes: (R,) class ids.
        share: Of a foreground class's features that are dropped, rounded down.
        background: The same of the background's.

    Returns:
        (R,) bool.
    """
    keep = torch.ones(len(features), dtype=torch.bool)
    for each in ids_in(classes):
        rows = (classes == each).nonzero()[:, 0]
        count = int((share if each else background) * len(rows))
        own = features[rows].float()
        distance = (own - own.mean(dim=0)).norm(dim=1)
        farthest = distance.argsort(descending=True, stable=True)[:count]
        keep[rows[farthest]] = False
    return keep
