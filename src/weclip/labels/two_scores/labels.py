"""From maps to labels, by PAR at half size: of the maps as they are, and of those spread.

Stage 3, AFA section 3.3 and 3.4, and its released code.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from weclip.data.batch import IGNORE_INDEX
from weclip.labels.pixel_refine import pixel_adaptive_refinement
from weclip.labels.pseudo_label import without_padding
from weclip.labels.spreading import propagate
from weclip.labels.tag_slots import TagSlots
from weclip.labels.two_scores.mirrored import resize
from weclip.labels.two_scores.scores import (
    Backgrounds,
    agreed_label,
    both_filled,
    both_softmax,
)

Box = tuple[int, int, int, int]
"""`y0, x0, y1, x1`, half-open, in pixels of the crop; may reach beyond it."""


def half(size: Sequence[int]) -> tuple[int, int]:
    """Half of (H, W), truncated, at least one pixel."""
    return max(1, size[0] // 2), max(1, size[1] // 2)


@torch.no_grad()
def initial_scores(cam: Tensor, slots: TagSlots, guide: Tensor, backgrounds: Backgrounds) -> Tensor:
    """Maps (B, K, H, W) scored, and refined by the whole guide (B, 3, H, W), at half size.

    Returns:
        (B, 2(1+K), H//2, W//2), beside the low background first.
    """
    size = half(guide.shape[-2:])
    scores = both_softmax(resize(cam, size), slots.filled, backgrounds)
    filled = both_filled(slots.filled)
    return pixel_adaptive_refinement(scores, resize(guide, size), backgrounds.par, filled)


@torch.no_grad()
def initial_label(
    cam: Tensor, slots: TagSlots, guide: Tensor, content_box: Tensor, backgrounds: Backgrounds
) -> Tensor:
    """Labels (B, H, W) of maps (B, K, H, W), none on padding, which PAR sees all the same."""
    size = (guide.shape[-2], guide.shape[-1])
    scores = resize(initial_scores(cam, slots, guide, backgrounds), size)
    return without_padding(agreed_label(scores, slots.index), content_box)


@torch.no_grad()
def propagated_scores(
    cam: Tensor,
    slots: TagSlots,
    transition: Tensor,
    patch_grid: tuple[int, int],
    backgrounds: Backgrounds,
) -> Tensor:
    """Maps (B, K, H, W) scored on the patch grid, and spread by a transition (B, N, N).

    Returns:
        (B, 2(1+K), h, w), beside the low background first.
    """
    scores = both_softmax(resize(cam, patch_grid), slots.filled, backgrounds)
    return propagate(scores, transition)


@torch.no_grad()
def refined_in_box(
    scores: Tensor, filled: Tensor, guide: Tensor, box: Box, backgrounds: Backgrounds
) -> Tensor:
    """Scores of one image inside its content, refined at half the content's size.

    Args:
        scores: (1, M, H, W).
        filled: (1, M) bool, which of them count.
        guide: (1, 3, H, W), whose colours guide PAR.
        box: The content.
        backgrounds: Constants.

    Returns:
        (1, M, y, x), half the content's size.
    """
    y0, x0, y1, x1 = box
    content = guide[..., y0:y1, x0:x1]
    small = resize(content, half(content.shape[-2:]))
    inside = scores[..., y0:y1, x0:x1]
    # Corners lie on each other here, and nowhere else in AFA.
    inside = resize(inside, (small.shape[-2], small.shape[-1]), align_corners=True)
    return pixel_adaptive_refinement(inside, small, backgrounds.par, filled)


def refined_whole(
    scores: Tensor, slots: TagSlots, guide: Tensor, backgrounds: Backgrounds
) -> Tensor:
    """Scores (1, 1+K, h, w) of one image, refined by all of its guide (1, 3, H, W).

    Returns:
        (1, 1+K, H//2, W//2).
    """
    height, width = guide.shape[-2:]
    filled = F.pad(slots.filled, (1, 0), value=True)
    at_pixels = resize(scores, (height, width))
    return refined_in_box(at_pixels, filled, guide, (0, 0, height, width), backgrounds)


@torch.no_grad()
def label_in_boxes(
    scores: Tensor,
    slots: TagSlots,
    guide: Tensor,
    boxes: Sequence[Box],
    backgrounds: Backgrounds,
) -> Tensor:
    """Labels (B, H, W) of scores (B, 2(1+K), h, w) on a coarser grid, image by image.

    PAR sees what lies in an image's box and nothing else; the rest is `IGNORE_INDEX`.
    """
    size = (guide.shape[-2], guide.shape[-1])
    labels = torch.full((len(scores), *size), IGNORE_INDEX, device=scores.device)
    filled = both_filled(slots.filled)
    for i, box in enumerate(boxes):
        inside = labels[i, box[0] : box[2], box[1] : box[3]]
        if not inside.numel():
            continue
        one = slice(i, i + 1)
        refined = refined_in_box(
            resize(scores[one], size), filled[one], guide[one], box, backgrounds
        )
        at_pixels = resize(refined, (inside.shape[0], inside.shape[1]))
        inside.copy_(agreed_label(at_pixels, slots.index[one])[0])
    return labels
