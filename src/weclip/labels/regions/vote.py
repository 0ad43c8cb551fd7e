"""A region takes the class that most of its pixels have.

Stage 3. "Map correction" of CorrCLIP (Zhang, Liu, Tang, ICCV 2025); it fits any label map.
"""

import torch
from torch import Tensor

from weclip.data.batch import IGNORE_INDEX
from weclip.labels.region_attention.ids import no_region_id, numbered


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
    present, place = numbered(ids)  # (R,), (H, W)
    labels = label_map.long()
    counts = torch.bincount((place * 256 + labels).flatten(), minlength=256 * len(present))
    counts = counts.view(len(present), 256)
    counts[:, IGNORE_INDEX] = 0
    smaller_first = torch.arange(255, -1, -1, device=counts.device)
    voted = (256 * counts + smaller_first).argmax(dim=1)[place]
    keep = (counts.sum(dim=1) == 0)[place]
    none = no_region_id(ids, least=least_id_is_none)
    if none is not None:
        keep |= ids == none
    if not fill_ignored:
        keep |= labels == IGNORE_INDEX
    return torch.where(keep, labels, voted).to(label_map.dtype)
