"""Dense CRF of masks that are there: labels without probabilities become certain to a degree.

Stage 6. A mask says nothing of how sure it is, so every label is trusted alike, as in
`unary_from_labels` of pydensecrf; the classes are those of the mask, which takes the place of tags.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from weclip.data.bands import bands, count_ids
from weclip.data.batch import IGNORE_INDEX
from weclip.inference.prediction import Crf, best_class
from weclip.labels.dense_crf import require_memory

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
    probabilities = np.where(labelled, np.float32(LABEL_CERTAINTY), np.float32(rest))
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

    Raises:
        RunError: As in `require_memory`.
    """
    counts = count_ids(label_map)
    class_ids = np.flatnonzero(counts[:IGNORE_INDEX]).astype(np.uint8)
    if len(class_ids) < 2:
        return label_map
    require_memory(len(class_ids), (label_map.shape[0], label_map.shape[1]))
    best = best_class(crf(image, label_probabilities(label_map, class_ids)))
    for rows in bands(best.shape):
        best[rows] = class_ids[best[rows]]
    return best


def refine_masks(crf: Crf, image: NDArray[np.uint8], label_maps: Sequence[Ids]) -> list[Ids]:
    """Refine several masks of one image, each alone."""
    return [refine_mask(crf, image, label_map) for label_map in label_maps]
