"""The tags of a batch as slots, and the scaling of their maps: what all sources of maps share.

Stage 3.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class TagSlots:
    """The tags of a batch, packed to the largest number K of tags of one image.

    Attributes:
        index: (B, K) int64 class indices (class id minus 1), ascending; 0 in empty slots.
        filled: (B, K) bool, False in empty slots.
        image: (P,) int64, the image of each of the P filled slots; where padded, the last repeats.
        slot: (P,) int64, its slot.
    """

    index: Tensor
    filled: Tensor
    image: Tensor
    slot: Tensor

    def to(self, device: torch.device) -> "TagSlots":
        """The same tags on `device`, in one copy."""
        if self.index.device == device:
            return self
        parts = (self.index, self.filled, self.image, self.slot)
        sent = send(torch.cat([part.flatten().long() for part in parts]), device)
        flat = torch.split(sent, [part.numel() for part in parts])
        index, filled = (each.view_as(self.index) for each in flat[:2])
        return TagSlots(index, filled.bool(), *flat[2:])

    def allowed(self, classes: int) -> Tensor:
        """(B, C) bool, whether an image may have each of C class ids: its tags and background."""
        ids = F.pad((self.index + 1) * self.filled, (1, 0))  # (B, 1+K)
        return self.filled.new_zeros(len(ids), classes).scatter(1, ids, True)


def send(values: Tensor, device: torch.device) -> Tensor:
    """Host tensor (...) on a device; to a GPU by way of pinned memory, so that nobody waits."""
    if device.type == "cuda":
        values = values.pin_memory()
    return values.to(device, non_blocking=values.is_pinned())


def pack_tags(tags: Tensor, *, padded: bool = False) -> TagSlots:
    """Pack multi-hot tags (B, C-1) bool into slots; K is at least 1.

    How many there are decides shapes: tags that lie on the host spare a device a wait.

    Args:
        tags: The tags.
        padded: Whether K and P are rounded up to 1, 2, 4, 8 and so on, which leaves few shapes, up
            to C-1 and B * K. Slots are left empty for it, and the last filled one is repeated.

    >>> slots = pack_tags(torch.tensor([[False, True, True], [True, False, False]]))
    >>> slots.index.tolist(), slots.filled.tolist()
    ([[1, 2], [0, 0]], [[True, True], [True, False]])
    """
    counts = tags.sum(dim=1, keepdim=True)
    slots = max(1, int(counts.max()))
    if padded:
        slots = min(_power_of_2(slots), tags.shape[1])
    order = tags.to(torch.int8).argsort(dim=1, descending=True, stable=True)[:, :slots]
    filled = torch.arange(slots, device=tags.device) < counts
    image, slot = filled.nonzero(as_tuple=True)
    if padded and len(image):
        more = min(_power_of_2(len(image)), filled.numel()) - len(image)
        image, slot = (torch.cat([each, each[-1:].expand(more)]) for each in (image, slot))
    return TagSlots(order * filled, filled, image, slot)


def _power_of_2(count: int) -> int:
    """The least power of 2 that is not below a number from 1 on."""
    return 1 << (count - 1).bit_length()


def tag_slots(tags: Sequence[int], classes: int) -> TagSlots:
    """Slots of one image from its 0-based class indices, of C-1 `classes`."""
    multi_hot = torch.zeros(1, classes, dtype=torch.bool)
    multi_hot[0, list(tags)] = True
    return pack_tags(multi_hot)


def min_max(maps: Tensor, eps: float) -> Tensor:
    """Scale each map (..., h, w) to [0, 1]: minus its minimum, over `eps` plus its maximum."""
    maps = maps - maps.amin(dim=(-2, -1), keepdim=True)
    return maps / (eps + maps.amax(dim=(-2, -1), keepdim=True))
