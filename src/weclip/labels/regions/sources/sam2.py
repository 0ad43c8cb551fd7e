"""Masks by SAM 2, of a grid of points; needs its weights.

Stage 3. Ravi et al., "SAM 2: Segment Anything in Images and Videos", 2024, by its published
weights in transformers' own form; images are resized and normalised here.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from weclip.labels.regions.painting import by_area
from weclip.labels.regions.regions import GuideOf, Regions
from weclip.labels.regions.sam2.masks import Thresholds, masks_of_points
from weclip.labels.regions.sam2.weights import FETCH, Sam2, load_sam2
from weclip.parts import region_source, setting
from weclip.system.distributed import default_device
from weclip.system.errors import InputError
from weclip.system.files import at_home

POINTS_TOGETHER = 64
"""Points that are decoded together; SAM's released code."""


@region_source("sam2")
@dataclass(frozen=True, kw_only=True)
class Sam2Masks:
    """Masks by SAM 2, larger ones on top (Ravi et al. 2024); needs `regions.sam2.weights`.

    Its makers trained it on the images and masks of SA-1B and on SA-V's videos. SA-V's masks were
    drawn by people with the model's help, and the first SAM, which made SA-1B's masks, learnt from
    masks that people drew and corrected. None has a class. So a result that used it is not one of
    image tags only.
    """

    reads: ClassVar = ()
    saw_human_masks: ClassVar = True

    weights: str | None = setting(
        None, source="ours; folder with config.json and model.safetensors, which you fetch"
    )
    points: int = setting(
        32, source="SAM 2, released code; points a side; CorrCLIP: 8", above=0, most=256
    )
    iou: float = setting(
        0.88, source="SAM, released code; predicted IoU, over it; CorrCLIP: 0.4", least=0, most=1
    )
    stability: float = setting(
        0.95, source="SAM, released code; more than it; CorrCLIP: 0.4", least=0, most=1
    )
    box_iou: float = setting(0.7, source="SAM, released code; of suppression", least=0, most=1)
    three_masks: bool = setting(
        True, source="SAM, released code; masks of a point: three, or one; CorrCLIP: false"
    )
    least_area: int = setting(0, source="SAM, released code; pixels", least=0, most=10**9)

    @cached_property
    def model(self) -> Sam2:
        """The frozen model, read when it is first needed."""
        if self.weights is None:
            raise InputError(
                f"regions.source=sam2 needs regions.sam2.weights=FOLDER; {FETCH}, or take "
                "regions.source=merged, graph or superpixels, which need none"
            )
        found = load_sam2(Path(at_home(self.weights)))
        found.model.to(default_device())
        return found

    def open(self) -> str:
        """Read the weights, and return their SHA-256."""
        return self.model.sha256

    def __call__(self, image: NDArray[np.uint8], guide: GuideOf | None) -> Regions:
        """Regions of an image (H, W, 3) uint8, RGB, with the masks that they are painted of."""
        decode = self.model.decoder(image, several=self.three_masks)
        thresholds = Thresholds(self.iou, self.stability, self.box_iou, self.least_area)
        proposals = masks_of_points(
            decode, image.shape[:2], thresholds, side=self.points, together=POINTS_TOGETHER
        )
        return Regions(by_area(proposals), proposals)
