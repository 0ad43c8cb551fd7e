"""Graph segmentation: pixels of alike colour join while they differ less than their regions do.

Stage 3. Felzenszwalb, Huttenlocher, "Efficient Graph-Based Image Segmentation", 2004, as
scikit-image computes it.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from weclip.labels.regions.regions import GuideOf, Regions
from weclip.labels.regions.seen import cut_smaller
from weclip.parts import region_source, setting


def by_colours(
    image: NDArray[np.uint8], *, scale: float, sigma: float, least_share: float
) -> NDArray[np.int32]:
    """(H, W) numbers of regions from 0 on, of an image (H, W, 3) uint8.

    Args:
        image: RGB.
        scale: Larger values give larger regions.
        sigma: Pixels of the blur before it.
        least_share: Of the image's pixels: smaller regions join a neighbour.
    """
    from skimage.segmentation import felzenszwalb

    least = round(least_share * image.shape[0] * image.shape[1])
    found = felzenszwalb(image, scale, sigma, max(1, least), channel_axis=-1)
    return np.asarray(found, np.int32)


@region_source("graph")
@dataclass(frozen=True, kw_only=True)
class Graph:
    """Felzenszwalb's graph segmentation of colours; no weights (scikit-image)."""

    reads: ClassVar = ()
    saw_human_masks: ClassVar = False

    scale: float = setting(
        20.0,
        source="ours; larger values give larger regions; chosen by votes on the demo's training "
        "scenes (docs/regions.md)",
        above=0,
    )
    sigma: float = setting(
        0.5, source="ours, chosen so; pixels of the blur before it", least=0, most=100
    )
    least_share: float = setting(
        0.0015,
        source="ours, chosen so; of the pixels: smaller regions join a neighbour",
        least=0,
        most=1,
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
        settings = {"scale": self.scale, "sigma": self.sigma, "least_share": self.least_share}
        return by_colours(image, **settings) + 1
