"""Small regions of alike colour, merged where colours and guide features agree; no human masks.

Stage 3. Felzenszwalb's graph segmentation gives small regions; of those that touch, the most alike
merge first, by mean colour (CIELAB) and mean feature of a second frozen encoder.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray

from weclip.backbones.guide import Guide
from weclip.labels.regions.merging import mean_features, merge_alike
from weclip.labels.regions.regions import GuideOf, Regions
from weclip.labels.regions.seen import cut_smaller, nearest
from weclip.labels.regions.sources.graph import by_colours
from weclip.parts import region_source, setting


@region_source("merged")
@dataclass(frozen=True, kw_only=True)
class Merged:
    """Small regions of colours, merged by colours and guide features; reads `dino.weights`."""

    reads: ClassVar = ("guide",)
    saw_human_masks: ClassVar = False

    scale: float = setting(20.0, source="ours; of the small regions, as of graph", above=0)
    sigma: float = setting(0.5, source="ours; of the small regions, as of graph", least=0, most=100)
    least_share: float = setting(
        0.0015, source="ours; of the small regions, as of graph", least=0.0005, most=1
    )
    colour_weight: float = setting(
        1.0, source="ours; of CIELAB colours over 100, beside unit guide features", least=0
    )
    limit: float = setting(
        0.0004,
        source="ours; two regions merge while their variance grows by less; chosen by votes on the "
        "demo's training scenes (docs/regions.md)",
        least=0,
    )
    max_side: int = setting(
        640, source="ours; longer images are seen smaller", least=32, most=20_000
    )

    def open(self) -> None:
        """Import what it needs."""
        import skimage.segmentation  # noqa: F401

    def __call__(self, image: NDArray[np.uint8], guide: GuideOf | None) -> Regions:
        """Regions of an image (H, W, 3) uint8, RGB; each pixel is in one."""
        if guide is None:
            raise TypeError("region source 'merged' reads a guide, and none was given")
        seen = guide
        return Regions(cut_smaller(image, self.max_side, lambda small: self._cut(small, seen)))

    def _cut(self, image: NDArray[np.uint8], guide: GuideOf) -> NDArray[np.int32]:
        from skimage.color import rgb2lab

        small = by_colours(image, scale=self.scale, sigma=self.sigma, least_share=self.least_share)
        colours = mean_features(rgb2lab(image) / 100, small) * self.colour_weight
        features = guide_means(guide(image), small)
        return merge_alike(small, np.concatenate([colours, features], axis=1), self.limit) + 1


def guide_means(guide: Guide, ids: NDArray[np.int32]) -> NDArray[np.float64]:
    """(R, D) unit means of a guide's unit features over regions 0 to R-1 (H, W) of one image.

    Each pixel has the feature of the patch that it lies in.
    """
    rows = F.normalize(guide.features[0].float(), dim=-1).cpu().numpy()
    down, across = guide.patch_grid
    patch = nearest(down, len(ids))[:, None] * across + nearest(across, ids.shape[1])
    pairs = np.bincount((ids * len(rows) + patch).ravel(), minlength=(ids.max() + 1) * len(rows))
    means = pairs.reshape(-1, len(rows)) @ rows.astype(np.float64)
    found: NDArray[np.float64] = means / (np.linalg.norm(means, axis=1, keepdims=True) + 1e-12)
    return found
