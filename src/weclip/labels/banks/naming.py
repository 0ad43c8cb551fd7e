"""The regions of one image, named: from patch tokens and regions to class probabilities of pixels.

Stage 3. He, Liu, Zhang, Wei, Tang, "ModuSeg", arXiv 2604.07021.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from weclip.labels.banks.region_features import aggregated, id_weights, mask_weights
from weclip.labels.banks.voting import count_votes, kept, owners, painted
from weclip.labels.region_attention.ids import numbered
from weclip.labels.regions.regions import IN_NONE, Proposals, Regions

Find = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Unit features (P, J) -> class ids of their neighbours (P, k), nearest first, and cosines."""


def pixels_of(amount: float, whole: float) -> int:
    """A number of pixels: as it is from 1 on, a share of `whole` below.

    >>> pixels_of(20, 96), pixels_of(0.05, 96), pixels_of(0, 96)
    (20, 5, 0)
    """
    return round(amount if amount >= 1 else amount * whole)


@dataclass(frozen=True, kw_only=True)
class NamingSettings:
    """Which regions count.

    Attributes:
        least_area: Pixels of a region, or below 1 a share of the image's.
        least_score: Of regions that have a score.
        most_overlap: Intersection over union that two regions of one class may have.
    """

    least_area: float
    least_score: float
    most_overlap: float


@dataclass(frozen=True)
class Namer:
    """Names regions.

    Attributes:
        settings: Constants.
        num_classes: C, with background.
        patch: Pixels of a patch's side.
    """

    settings: NamingSettings
    num_classes: int
    patch: int

    @torch.no_grad()
    def __call__(self, tokens: Tensor, regions: Regions, find: Find) -> Tensor:
        """Class probabilities (C, H, W) of an image's pixels: shares of its regions' votes.

        Args:
            tokens: (N, J) of the image, with what is added on the right and below.
            regions: Of the image.
            find: Finds neighbours, of classes that may be there.
        """
        with torch.autocast(tokens.device.type, enabled=False):
            if regions.proposals is None:
                ids = torch.from_numpy(regions.id_map).long()
                return self._of_ids(tokens.float(), ids, find)
            return self._of_masks(tokens.float(), regions.proposals, find)

    def _of_ids(self, tokens: Tensor, ids: Tensor, find: Find) -> Tensor:
        """Of regions that do not overlap; each names its own pixels."""
        present, place = numbered(ids.to(tokens.device))  # (P,), (H, W)
        area = torch.bincount(place.flatten())
        used = (area >= self._least(ids.numel())) & (present != IN_NONE)
        features = aggregated(id_weights(place, len(present), self.patch), tokens)[0][used]
        classes, cosines = find(features)
        votes = count_votes(classes, cosines, self.num_classes)
        number = torch.where(used, used.cumsum(0) - 1, -1)  # (P,) among those that are used
        return painted(votes.shares(), number[place])

    def _of_masks(self, tokens: Tensor, given: Proposals, find: Find) -> Tensor:
        """Of regions that may overlap: those of one class suppress each other, the best win."""
        masks = torch.from_numpy(given.masks).to(tokens.device)
        area = masks.sum(dim=(1, 2)) >= self._least(masks.shape[1] * masks.shape[2])
        used = torch.from_numpy(given.scores >= self.settings.least_score).to(area.device) & area
        masks = masks[used]
        weights = (
            mask_weights(masks, self.patch) if len(masks) else tokens.new_zeros(0, len(tokens))
        )
        classes, cosines = find(aggregated(weights, tokens)[0])
        votes = count_votes(classes, cosines, self.num_classes)
        stays = kept(masks, votes, most_overlap=self.settings.most_overlap)
        return painted(votes.shares(), owners(masks, votes, stays))

    def _least(self, pixels: int) -> int:
        return pixels_of(self.settings.least_area, pixels)
