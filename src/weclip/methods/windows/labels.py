"""From cosines with words at one size to a label map at another.

Stage 4. Zhang, Liu, Tang, "CorrCLIP", ICCV 2025. The class scores of a large image are never held
all at once.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from weclip.data.windows import windows
from weclip.labels.region_attention.words import best_classes, word_scores
from weclip.labels.resizing import resized


@torch.no_grad()
def label_map(
    cosine: Tensor,
    size: tuple[int, int],
    class_of_word: Sequence[int],
    *,
    scale: float,
    threshold: float = 0.0,
    allowed: Sequence[int] | None = None,
) -> Tensor:
    """Resize cosines, bilinear, and take each pixel's best class.

    Args:
        cosine: (Q, h, w).
        size: (H, W).
        class_of_word: (Q,) class ids; 0 is background.
        scale: Factor of the cosines before the softmax over words.
        threshold: Where the best score is below it, there is background.
        allowed: Class ids that may be there: known tags, and 0 for background. None: all.

    Returns:
        (H, W) uint8 class ids.
    """
    labels = torch.empty(size, dtype=torch.uint8, device=cosine.device)
    for window in windows(size, len(cosine)):
        part = resized(cosine, size, window)
        scores = word_scores(part, class_of_word, scale=scale, allowed=allowed)
        labels[window] = best_classes(scores, threshold=threshold)
    return labels
