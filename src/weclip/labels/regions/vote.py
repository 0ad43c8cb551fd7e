"""A region takes the class that most of its pixels have.

Stage 3. "Map correction" of CorrCLIP (Zhang, Liu, Tang, ICCV 2025); it fits any label map.
"""

import torch
from torch import Tensor

from weclip.data.batch import IGNORE_INDEX
from weclip.labels.region_attention.ids import no_region_id, numbered

NEAR = 2**14
"""Between the lowest and the highest id: up to here, rows of ids that are not there cost little."""


def vote(
    label_map: Tensor, ids: Tensor, *, least_id_is_none: bool = False, fill_ignored: bool = False
) -> Tensor:
    """Give every region the most frequent class of its pixels; the smaller id wins a tie.

    Pixels of `IGNORE_INDEX` have no vote. A region of them alone stays as it is.

    Args:
        label_map: (H, W) class ids of any whole type, 0..255.
        ids: (H, W) int64 of regions; pixels in no region keep their class.
        least_id_is_none: The smallest id that is there means "in no region", as released; else 0.
        fill_ignored: Whether ignored pixels take their region's class; else they stay ignored.

    Returns:
        (H, W), type as `label_map`.

    Raises:
        ValueError: Their sizes differ.
    """
    if label_map.shape != ids.shape:
        raise ValueError(f"label map {tuple(label_map.shape)}, but regions {tuple(ids.shape)}")
    labels = label_map.long()
    voting = labels != IGNORE_INDEX
    place = _places(ids)
    counts = _votes(place, labels, voting)  # (R, C)
    smaller_first = torch.arange(counts.shape[1] - 1, -1, -1, device=counts.device)
    winner = (counts.shape[1] * counts + smaller_first).argmax(dim=1)  # (R,)
    changed = counts.any(dim=1)[place]  # (H, W): regions of ignored pixels alone have none
    none = no_region_id(ids, least=least_id_is_none)
    if none is not None:
        changed &= ids != none
    if not fill_ignored:
        changed &= voting
    return torch.where(changed, winner[place], labels).to(label_map.dtype)


def _votes(place: Tensor, labels: Tensor, voting: Tensor) -> Tensor:
    """(R, C) int64: how many pixels of each region have each class."""
    classes = 1 + int(labels.masked_fill(~voting, 0).max())
    regions = 1 + int(place.max())
    pairs = (place * classes + labels)[voting]
    return torch.bincount(pairs, minlength=regions * classes).view(regions, classes)


def _places(ids: Tensor) -> Tensor:
    """Row numbers from 0 on for ids; sorted out only where they are far apart, which takes long."""
    lowest, highest = int(ids.min()), int(ids.max())
    return ids - lowest if highest - lowest < NEAR else numbered(ids)[1]
