"""Training samples put together to a batch.

Stage 1.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from weclip.data.batch import NOT_CORRECTED, Batch, Corrected
from weclip.data.images.crops import Crop
from weclip.system.errors import InputError


class Sample(NamedTuple):
    """One training sample before collation."""

    crop: Crop
    tags: tuple[int, ...]
    name: str
    unreadable: tuple[str, ...]  # what was wrong with images that this one stands in for


class Collate:
    """Stack samples to a `Batch` beside what could not be read, or pass on the first error.

    Args:
        num_tags: C-1.
        corrected_weight: As in `CorrectedMasks.weight`; None: no masks were handed over.
    """

    def __init__(self, num_tags: int, corrected_weight: float | None = None) -> None:
        self.num_tags = num_tags
        self.corrected_weight = corrected_weight

    def __call__(
        self, samples: list[Sample | InputError]
    ) -> tuple[Batch, tuple[str, ...]] | InputError:
        """The batch, and what was wrong with images that others stand in for."""
        good = []
        for sample in samples:
            if isinstance(sample, InputError):
                return sample
            good.append(sample)
        images = np.stack([sample.crop.image for sample in good])  # (B, H, W, 3)
        tags = torch.zeros(len(good), self.num_tags, dtype=torch.bool)
        for row, sample in zip(tags, good, strict=True):
            row[list(sample.tags)] = True
        batch = Batch(
            image=torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(),  # (B, 3, H, W)
            tags=tags,
            content_box=torch.tensor([sample.crop.content_box for sample in good]),
            names=tuple(sample.name for sample in good),
            corrected=self._corrected([sample.crop for sample in good]),
            regions=_regions([sample.crop.regions for sample in good]),
        )
        return batch, tuple(message for sample in good for message in sample.unreadable)

    def _corrected(self, crops: Sequence[Crop]) -> Corrected | None:
        """The masks of those that have one; None where no masks were handed over."""
        if self.corrected_weight is None:
            return None
        label_map = np.full((len(crops), *crops[0].image.shape[:2]), NOT_CORRECTED, np.int16)
        weight = torch.ones(len(crops))
        for row, crop in enumerate(crops):
            if crop.label_map is not None:
                label_map[row] = crop.label_map
                weight[row] = self.corrected_weight
        plain = self.corrected_weight == 1
        return Corrected(torch.from_numpy(label_map), None if plain else weight)


def _regions(maps: Sequence[NDArray[np.int32] | None]) -> torch.Tensor | None:
    """(B, H, W) int64 of the crops' numbers of regions; None where none were read."""
    there = [each for each in maps if each is not None]
    return torch.from_numpy(np.stack(there).astype(np.int64)) if there else None
