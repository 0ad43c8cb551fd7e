"""A region source of a user's own, whose masks overlap."""

PLUGIN = '''
"""Two squares."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from weclip.labels.regions.painting import by_score
from weclip.labels.regions.regions import Proposals, Regions
from weclip.parts import region_source


@region_source("overlapping")
@dataclass(frozen=True, kw_only=True)
class Overlapping:
    """Two squares, the second surer."""

    reads: ClassVar = ()
    saw_human_masks: ClassVar = True

    def __call__(self, image, guide):
        masks = np.zeros((2, *image.shape[:2]), bool)
        masks[0, :20, :20] = masks[1, 10:30, 10:30] = True
        found = Proposals(masks, np.array([0.75, 0.875], np.float32))
        return Regions(by_score(found), found)
'''
