"""From an image, its regions and words to a label map.

Stage 4. Zhang, Liu, Tang, "CorrCLIP", ICCV 2025, as in its released code. The class scores of a
large image are never held all at once.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from weclip.data.windows import windows
from weclip.labels.region_attention.words import Words, best_classes, word_scores
from weclip.labels.regions.vote import vote
from weclip.labels.resizing import resized
from weclip.methods.windows.averaged import WindowedRegionAttention


def label_image(
    method: WindowedRegionAttention,
    image: NDArray[np.uint8],
    ids: Tensor,
    words: Words,
    tags: Sequence[int] | None = None,
) -> Tensor:
    """Label the pixels of an image, and let each region vote.

    Args:
        method: CorrCLIP.
        image: (H, W, 3) uint8, RGB.
        ids: (H, W) int64 of regions; 0: in none.
        words: What patches are compared with.
        tags: Known tags, 0-based class indices; background may always be there. None: not known.

    Returns:
        (H, W) uint8 class ids.
    """
    cosine = method.cosines(image, ids, words.text)
    labels = label_map(cosine, (image.shape[0], image.shape[1]), words, tags)
    least = method.attention.least_id_is_none
    return vote(labels, ids.to(labels.device), least_id_is_none=least)


@torch.no_grad()
def label_map(
    cosine: Tensor, size: tuple[int, int], words: Words, tags: Sequence[int] | None = None
) -> Tensor:
    """Resize cosines, bilinear, and take each pixel's best class.

    Args:
        cosine: (Q, h, w) of Q words.
        size: (H, W).
        words: Their classes.
        tags: As in `label_image`.

    Returns:
        (H, W) uint8 class ids.
    """
    allowed = None if tags is None else [0, *(tag + 1 for tag in tags)]
    threshold = words.threshold if tags is None else 0.0
    labels = torch.empty(size, dtype=torch.uint8, device=cosine.device)
    for window in windows(size, len(cosine)):
        part = resized(cosine, size, window)
        scores = word_scores(part, words.classes, scale=words.scale, allowed=allowed)
        labels[window] = best_classes(scores, threshold=threshold)
    return labels
