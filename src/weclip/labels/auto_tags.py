"""Tags from class names alone: from scores of patches to scores of classes, and thresholds.

Stage 3. Lin et al., "TagCLIP: A Local-to-Global Framework to Enhance Open-Vocabulary Multi-Label
Classification of CLIP Without Training", AAAI 2024; constants as in the released code. K is the
number of classes, N = h * w of patches.
"""

import torch
from torch import Tensor

from weclip.labels.boxes import region_boxes
from weclip.labels.spreading import propagate


def dual_masked_attention(attention: Tensor, *, first: int, votes: int) -> Tensor:
    """Mean attention of late blocks, kept where enough blocks agree (TagCLIP section 3.3).

    A block is for a pair of patches if the pair is above the block's own mean.

    Args:
        attention: (L, B, N, N) between patches, of all blocks.
        first: Blocks from this index on are averaged, the last one apart; at most L-2 counts.
        votes: How many blocks must be for a pair; the others' attention becomes 0.

    Returns:
        (B, N, N); rows do not sum to 1.
    """
    own_mean = attention.mean(dim=(2, 3), keepdim=True)  # (L, B, 1, 1)
    agreed = (attention > own_mean).sum(dim=0) >= votes  # (B, N, N)
    late = (
        attention[max(0, min(first, len(attention) - 2)) : -1] if len(attention) > 1 else attention
    )
    return late.mean(dim=0) * agreed


def refine_scores(scores: Tensor, attention: Tensor, *, released_boxes: bool = False) -> Tensor:
    """Spread each class's scores along the attention, from its strong boxes only.

    TagCLIP section 3.3: spread once; the boxes are those of the regions above the mean of what
    results; then only patches inside them spread.

    Args:
        scores: (B, K, h, w).
        attention: (B, N, N), row: target patch, column: source patch.
        released_boxes: Compare in 255 whole levels, and leave the last row and column outside every
            box, as released.

    Returns:
        (B, K, h, w).
    """
    spread = min_max(propagate(scores, attention))
    mean = spread.mean(dim=(2, 3), keepdim=True)
    if released_boxes:
        spread, mean = (255 * spread).floor(), (255 * mean).floor()
    strong = (spread > mean).flatten(0, 1)
    boxes = region_boxes(strong, exclusive_edge=released_boxes).view_as(scores)
    return propagate(scores, attention, boxes)


def min_max(maps: Tensor) -> Tensor:
    """Each map (..., h, w) stretched to [0, 1]; a constant one is 0."""
    low, high = maps.amin(dim=(-2, -1), keepdim=True), maps.amax(dim=(-2, -1), keepdim=True)
    return (maps - low) / (high - low).clamp(min=torch.finfo(maps.dtype).tiny)


def relative_choice(scores: Tensor, share: float) -> Tensor:
    """Classes over `min + share (max - min)` of an image's own scores, as in the released code.

    Args:
        scores: (B, K).
        share: From 0 to 1.

    Returns:
        (B, K) bool; at least the best class of each image.
    """
    low, high = scores.amin(dim=1, keepdim=True), scores.amax(dim=1, keepdim=True)
    return (scores > low + share * (high - low)) | (scores == high)


def otsu_threshold(values: Tensor) -> float:
    """The value that parts numbers into two groups that differ most (Otsu, 1979), without bins.

    Args:
        values: (M,), at least one.

    Returns:
        The middle between the groups; the number itself where all are equal.
    """
    ordered = values.cpu().double().sort().values  # Apple's GPUs have no float64
    count = len(ordered)
    if count < 2:
        return float(ordered[0])
    below = torch.arange(1, count, dtype=torch.float64)
    total = ordered.cumsum(0)
    low = total[:-1] / below
    high = (total[-1] - total[:-1]) / (count - below)
    between = below * (count - below) * (high - low) ** 2
    cut = int(between.argmax())
    return float(ordered[cut] + ordered[cut + 1]) / 2


def split_thresholds(scores: Tensor, floor: float) -> Tensor:
    """A threshold for each class from the scores of all images, without labels; ours.

    Otsu's of the class's own scores: those of images with it lie apart from those without. A class
    that is in no image has no two groups, so none lies under `floor` times Otsu's of all scores.

    Args:
        scores: (M, K) of M images.
        floor: 0 or more.

    Returns:
        (K,) float64; an image has the classes whose score is above.
    """
    lowest = floor * otsu_threshold(scores.flatten())
    return torch.tensor(
        [max(lowest, otsu_threshold(column)) for column in scores.T], dtype=torch.float64
    )
