"""The shape contract between data and everything after it: what a sample and a batch hold.

Stage 1. A `TaggedImage` has no place for a mask, so a mask cannot reach training by accident: one
that a person corrected has a field of its own in a batch, empty unless it was handed over by name.
PyTorch is imported for types only: `weclip check` reads data without it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from weclip.data.masks.colours import BACKGROUND_COLOUR, RGB, VOID_COLOUR

if TYPE_CHECKING:
    import torch
    from torch import Tensor

IGNORE_INDEX = 255
"""Label of pixels that no score and no loss counts (PASCAL VOC convention)."""


@dataclass(frozen=True)
class TaggedImage:
    """One training sample on disk.

    Attributes:
        name: Unique name within its split; sub-folders use `/`, no file extension.
        path: Image file.
        tags: Sorted 0-based class indices (class id minus 1); may be empty.
    """

    name: str
    path: Path
    tags: tuple[int, ...]


@dataclass(frozen=True)
class MaskLabels:
    """What ids and colours in a mask stand for; `mask_labels.py` makes them from a class list.

    Attributes:
        colours: Pairs of colour and class id (or 0, or 255) in masks of colours; a colour that is
            not here has no meaning.
        ids: Pairs of raw id and class id (or 0, or 255) in masks of ids; an id that is not here
            stands for itself.
        palettes_by_colour: Whether a palette PNG holds colours; otherwise it holds ids.
    """

    colours: tuple[tuple[RGB, int], ...] = ((BACKGROUND_COLOUR, 0), (VOID_COLOUR, IGNORE_INDEX))
    ids: tuple[tuple[int, int], ...] = ()
    palettes_by_colour: bool = False


@dataclass(frozen=True)
class MaskedImage:
    """One evaluation sample on disk.

    Attributes:
        name: Unique name within its split; sub-folders use `/`, no file extension.
        path: Image file.
        mask: PNG of ids or of colours.
        tags: As in `TaggedImage`, or None where the data set has none; only the scores of
            CAMs and pseudo-labels read them.
        labels: What the mask's ids and colours stand for.
    """

    name: str
    path: Path
    mask: Path
    tags: tuple[int, ...] | None
    labels: MaskLabels = MaskLabels()


class Share(NamedTuple):
    """Which images of a step's whole batch one of several processes has.

    Attributes:
        first: Position of its first image in the whole batch.
        whole: Number of images in the whole batch.
    """

    first: int
    whole: int


NOT_CORRECTED = -1
"""What `Corrected` holds of images without a corrected mask."""


class Corrected(NamedTuple):
    """Masks of a batch that a person corrected and handed over by name (`data.corrected`).

    Attributes:
        label_map: (B, H, W) int16 class ids, cropped as the images are; `IGNORE_INDEX` where
            nothing counts and beyond the image, `NOT_CORRECTED` of images without such a mask.
        weight: (B,) float32, for how many images each counts in losses that read labels
            (`loss.corrected_weight`); None: all for one.
    """

    label_map: "Tensor"
    weight: "Tensor | None" = None

    def each(self, change: "Callable[[Tensor], Tensor]") -> "Corrected":
        """The same with a change of each tensor."""
        label_map = change(self.label_map)
        return Corrected(label_map, None if self.weight is None else change(self.weight))


@dataclass(frozen=True)
class Batch:
    """Training images of one crop size with their tags.

    Attributes:
        image: (B, 3, H, W) uint8, RGB; black where the crop reaches beyond the image.
        tags: (B, C-1) bool, multi-hot.
        content_box: (B, 4) int64, `y0, x0, y1, x1` of the image content inside the crop
            (half-open); everything outside is padding.
        names: B sample names.
        share: Which images of the step these are; None: all of them.
        corrected: Masks that a person corrected; None without `data.corrected`.
        regions: (B, H, W) int64 numbers of regions in files, 0 for none; None where none are read.
    """

    image: "Tensor"
    tags: "Tensor"
    content_box: "Tensor"
    names: tuple[str, ...]
    share: Share | None = None
    corrected: Corrected | None = None
    regions: "Tensor | None" = None

    @property
    def boxes(self) -> list[tuple[int, int, int, int]]:
        """The content boxes as numbers; no device is waited for, since they stay on the host."""
        return [(y0, x0, y1, x1) for y0, x0, y1, x1 in self.content_box.tolist()]

    def to(self, device: "torch.device | str") -> "Batch":
        """The same batch on `device`; the host decides shapes by tags and boxes, so these stay."""
        pinned = self.image.is_pinned()
        moved = self.corrected and self.corrected.each(lambda t: t.to(device, non_blocking=pinned))
        image = self.image.to(device, non_blocking=pinned)
        regions = self.regions
        regions = None if regions is None else regions.to(device, non_blocking=pinned)
        return replace(self, image=image, corrected=moved, regions=regions)

    def pin_memory(self) -> "Batch":
        """The same batch where a GPU can fetch it by itself; `DataLoader` calls this."""
        pinned = {name: getattr(self, name).pin_memory() for name in ("image", "content_box")}
        corrected = self.corrected and self.corrected.each(lambda tensor: tensor.pin_memory())
        regions = None if self.regions is None else self.regions.pin_memory()
        return replace(self, **pinned, corrected=corrected, regions=regions)
