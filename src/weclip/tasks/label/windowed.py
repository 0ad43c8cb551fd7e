"""Scores of images by CorrCLIP as released, over windows (`label.windows`)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from weclip.backbones.precision import computing_in
from weclip.config import Config
from weclip.inference.label_masks import Named, Scores, soft_shares
from weclip.labels.pixel_scores import all_background
from weclip.labels.region_attention.words import Words
from weclip.methods.windows.averaged import WindowedRegionAttention
from weclip.methods.windows.scores import WordScores
from weclip.system.errors import InputError
from weclip.tasks.regions.reading import RegionReader

BESIDE_WINDOWS: dict[str, Any] = {
    "cam.source": "region_attention",
    "cam.embedding": None,
    "affinity.source": "none",
    "label.model": None,
    "label.memory": None,
    "label.par": False,
    "label.square": None,
    "label.scale": 1.0,
    "label.imagenet_normalisation": False,
}
"""What other keys must be, since they would not be read."""


@dataclass(frozen=True)
class Windowed:
    """A `Scorer` by CorrCLIP over windows.

    Attributes:
        method: The method, where it computes.
        words: What patches are compared with.
        regions: Gives the regions of an image.
        soft: Whether soft maps are asked for.
        precision: As in `computing_in`.
        votes: Whether regions vote on each mask.
    """

    method: WindowedRegionAttention
    words: Words
    regions: RegionReader
    soft: bool
    precision: str
    votes: bool

    batch_pixels = 1
    shares = True

    def size_of(self, named: Named) -> tuple[int, int] | None:
        """None: images go one by one."""
        return None

    def __call__(self, batch: Sequence[Named]) -> list[Scores]:
        """Scores of images."""
        return [self._of_one(named) for named in batch]

    def _of_one(self, named: Named) -> Scores:
        image, pixels = named
        size = (pixels.shape[0], pixels.shape[1])
        if not image.tags:
            return Scores(all_background(size, self.method.mean.device))
        ids = self.regions(*named).id_map
        given = torch.from_numpy(ids.astype(np.int64))
        with computing_in(self.precision, self.method.mean.device):
            cosine = self.method.cosines(pixels, given, self.words.text)
        class_ids = np.array([0, *(tag + 1 for tag in image.tags)], np.uint8)
        pixel_scores = WordScores(cosine.float(), self.words, class_ids, size)
        return Scores(pixel_scores, self._soft(pixel_scores), self._voting(ids))

    def _soft(self, scores: WordScores) -> NDArray[np.uint8] | None:
        if not self.soft:
            return None
        patch = self.method.image_encoder.patch_size
        height, width = (max(1, round(side / patch)) for side in scores.cosine.shape[1:])
        return soft_shares(scores.tag_maps((height, width)).cpu().numpy())

    def _voting(self, ids: NDArray[np.int32]) -> NDArray[np.int32] | None:
        """Ids (H, W) whose 0 has no vote; as released, that is the least one that is there."""
        if not self.votes:
            return None
        return ids - ids.min() if self.method.attention.least_id_is_none else ids


def require_windows(config: Config) -> None:
    """InputError for settings beside `label.windows` that it would not read."""
    for key, value in BESIDE_WINDOWS.items():
        section, name = key.split(".")
        found = getattr(getattr(config, section), name)
        if found != value:
            wanted = "null" if value is None else str(value).lower()
            raise InputError(
                f"label.windows=true is CorrCLIP as released, without {key}={found}; "
                f"add {key}={wanted}"
            )
    if config.windows.stride > config.windows.side:
        raise InputError(
            f"windows.stride={config.windows.stride} leaves gaps between windows of "
            f"windows.side={config.windows.side}; take a smaller stride"
        )
