"""Dense CRF of masks that are there: labels without probabilities become certain to a degree.

Stage 6. A mask says nothing of how sure it is, so every label is trusted alike, as in
`unary_from_labels` of pydensecrf; the classes are those of the mask, which takes the place of tags.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from weclip.data.batch import IGNORE_INDEX
from weclip.inference.predictor import Crf

LABEL_CERTAINTY = 0.7
"""How probable a pixel's label is: `gt_prob` in the example of pydensecrf and in weakly supervised
systems that refine labels with it (IRN, Ahn et al., CVPR 2019)."""

Ids = NDArray[np.uint8]


def label_probabilities(label_map: Ids, class_ids: Ids) -> NDArray[np.float32]:
    """Probabilities of the classes of a mask.

    Args:
        label_map: (H, W) ids, each in `class_ids` or 255.
        class_ids: (K,) ids, at least two.

    Returns:
        (K, H, W): `LABEL_CERTAINTY` for a pixel's label and equal shares of the rest for the
        others; all equal where the label is 255.
    """
    count = len(class_ids)
    labelled = class_ids[:, None, None] == label_map  # K,H,W
    rest = (1 - LABEL_CERTAINTY) / (count - 1)
    probabilities = np.where(labelled, LABEL_CERTAINTY, rest).astype(np.float32)
    probabilities[:, label_map == IGNORE_INDEX] = 1 / count
    return probabilities


def refine_mask(crf: Crf, image: NDArray[np.uint8], label_map: Ids) -> Ids:
    """Refine one mask.

    Args:
        crf: The dense CRF.
        image: (H, W, 3) uint8, RGB.
        label_map: (H, W) ids, 255 where unsure.

    Returns:
        (H, W) ids without 255; the mask itself if it has fewer than two classes.
    """
    class_ids = np.unique(label_map)
    class_ids = class_ids[class_ids != IGNORE_INDEX]
    if len(class_ids) < 2:
        return label_map
    refined: Ids = class_ids[crf(image, label_probabilities(label_map, class_ids)).argmax(axis=0)]
    return refined


def refine_masks(crf: Crf, image: NDArray[np.uint8], label_maps: Sequence[Ids]) -> list[Ids]:
    """Refine several masks of one image, each alone."""
    return [refine_mask(crf, image, label_map) for label_map in label_maps]
