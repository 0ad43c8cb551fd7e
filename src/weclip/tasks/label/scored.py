"""Scores of images in batches, by a method without training."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from weclip.backbones.precision import computing_in
from weclip.inference.label_masks import Named, Scores, soft_maps, soft_shares
from weclip.inference.prediction import batch_pixels
from weclip.methods.training_free import TrainingFree, TrainingFreeMaps
from weclip.tasks.regions.reading import RegionReader


@dataclass(frozen=True)
class Scored:
    """A `Scorer` by a method without training.

    Attributes:
        method: The method.
        soft: Whether soft maps are asked for.
        precision: As in `computing_in`.
        regions: Gives the regions of an image, where something reads them.
        votes: Whether these vote on each mask.
    """

    method: TrainingFree
    soft: bool
    precision: str
    regions: RegionReader | None = None
    votes: bool = False

    @property
    def batch_pixels(self) -> int:
        """Pixels that are scored together."""
        return batch_pixels(on_cpu=self.method.device.type == "cpu")

    @property
    def shares(self) -> bool:
        """As `Scorer.shares`."""
        return self.method.labels.shares

    def size_of(self, named: Named) -> tuple[int, int] | None:
        """(H, W) at which an image with tags is seen."""
        image, pixels = named
        return self.method.seen_size((len(pixels), pixels.shape[1])) if image.tags else None

    def __call__(self, batch: Sequence[Named]) -> list[Scores]:
        """Scores of images that are seen at one size."""
        given = [pixels for _, pixels in batch], [image.tags for image, _ in batch]
        regions = self._regions(batch)
        with computing_in(self.precision, self.method.device):
            made = self.method.together(*given, regions)
        votes = [None] * len(made) if regions is None or not self.votes else regions
        return [self._scores(*each) for each in zip(made, votes, strict=True)]

    def _regions(self, batch: Sequence[Named]) -> list[NDArray[np.int32]] | None:
        """Region numbers (H, W) of each image."""
        if self.regions is None:
            return None
        return [self.regions(*named).id_map for named in batch]

    def _scores(self, maps: TrainingFreeMaps, votes: NDArray[np.int32] | None) -> Scores:
        values = maps.refined.float().cpu().numpy()
        levels = (soft_shares if self.shares else soft_maps)(values) if self.soft else None
        return Scores(maps.scores, levels, votes)
