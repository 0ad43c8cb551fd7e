"""Superpixels: pixels near each other and of alike colour; no weights.

Stage 3. Achanta et al., "SLIC Superpixels Compared to State-of-the-Art Superpixel Methods", 2012,
as scikit-image computes it.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from weclip.labels.regions.regions import GuideOf, Regions
from weclip.parts import region_source, setting


@region_source("superpixels")
@dataclass(frozen=True, kw_only=True)
class Superpixels:
    """SLIC superpixels of colours; no weights (scikit-image)."""

    reads: ClassVar = ()
    saw_human_masks: ClassVar = False

    count: int = setting(64, source="ours; regions of an image, about", above=0, most=100_000)
    compactness: float = setting(
        10.0, source="scikit-image's default; larger values give squarer regions", above=0
    )

    def __call__(self, image: NDArray[np.uint8], guide: GuideOf | None) -> Regions:
        """Regions of an image (H, W, 3) uint8, RGB; each pixel is in one."""
        from skimage.segmentation import slic

        found = slic(image, self.count, self.compactness, start_label=1, channel_axis=-1)
        return Regions(found.astype(np.int32))
