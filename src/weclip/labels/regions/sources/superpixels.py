"""Superpixels: pixels near each other and of alike colour; no weights.

Stage 3. Achanta et al., "SLIC Superpixels Compared to State-of-the-Art Superpixel Methods", 2012,
as scikit-image computes it.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from weclip.labels.regions.regions import GuideOf, Regions
from weclip.labels.regions.seen import cut_smaller
from weclip.parts import region_source, setting


@region_source("superpixels")
@dataclass(frozen=True, kw_only=True)
class Superpixels:
    """SLIC superpixels of colours; no weights (scikit-image)."""

    reads: ClassVar = ()
    saw_human_masks: ClassVar = False

    count: int = setting(
        200,
        source="ours; regions of an image, about; chosen by votes on the demo's training scenes "
        "(docs/regions.md)",
        above=0,
        most=60_000,
    )
    compactness: float = setting(
        20.0, source="ours, chosen so; larger values give squarer regions", above=0
    )
    max_side: int = setting(
        640, source="ours; longer images are seen smaller", least=32, most=20_000
    )

    def open(self) -> None:
        """Import what it needs."""
        import skimage.segmentation  # noqa: F401

    def __call__(self, image: NDArray[np.uint8], guide: GuideOf | None) -> Regions:
        """Regions of an image (H, W, 3) uint8, RGB; each pixel is in one."""
        return Regions(cut_smaller(image, self.max_side, self._cut))

    def _cut(self, image: NDArray[np.uint8]) -> NDArray[np.int32]:
        from skimage.segmentation import slic

        found = slic(image, self.count, self.compactness, start_label=1, channel_axis=-1)
        return np.asarray(found, np.int32)
