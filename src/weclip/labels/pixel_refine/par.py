"""PAR, pixel-adaptive refinement: maps flow between neighbours of similar colour.

Stage 3, AFA section 3.4 (Ru et al., CVPR 2022). Each pixel becomes a weighted sum of 8 neighbours
per dilation; weights come from the image once, then the sum is repeated.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

DIRECTIONS = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))


def pixel_adaptive_refinement(
    maps: Tensor,
    image: Tensor,
    *,
    iterations: int,
    dilations: Sequence[int],
    colour_width: float,
    position_width: float,
    position_weight: float,
) -> Tensor:
    """Refine maps by the image.

    Args:
        maps: (B, M, H, W).
        image: (B, 3, H', W'); resized bilinearly to (H, W) if it differs.
        iterations: How often the weighted sum is repeated.
        dilations: Distances of the neighbours in pixels.
        colour_width: Divides colour distances in units of their local deviation.
        position_width: Divides pixel distances in units of their deviation.
        position_weight: Weight of the position term beside the colour term.

    Returns:
        (B, M, H, W).
    """
    if image.shape[-2:] != maps.shape[-2:]:
        image = F.interpolate(image, size=maps.shape[-2:], mode="bilinear", align_corners=True)
    shifts = [(d * y, d * x) for d in dilations for y, x in DIRECTIONS]
    weights = neighbour_weights(
        image.to(maps.dtype),
        shifts,
        colour_width=colour_width,
        position_width=position_width,
        position_weight=position_weight,
    )
    for _ in range(iterations):
        refined = torch.zeros_like(maps)
        for weight, neighbour in zip(weights, _shifted(maps, shifts), strict=True):
            refined.addcmul_(weight, neighbour)
        maps = refined
    return maps


def neighbour_weights(
    image: Tensor,
    shifts: Sequence[tuple[int, int]],
    *,
    colour_width: float,
    position_width: float,
    position_weight: float,
) -> tuple[Tensor, ...]:
    """Weight of every neighbour of every pixel.

    Args:
        image: (B, 3, H, W).
        shifts: Neighbours as offsets (y, x) in pixels.
        colour_width: As in `pixel_adaptive_refinement`.
        position_width: As there.
        position_weight: As there.

    Returns:
        One (B, 1, H, W) per shift.
    """
    neighbours = _shifted(image, shifts)
    mean = sum(neighbours, torch.zeros_like(image)) / len(shifts)
    squares = torch.zeros_like(image)
    for neighbour in neighbours:
        squares += (neighbour - mean) ** 2
    width = ((squares / (len(shifts) - 1)).sqrt() + 1e-8) * colour_width
    colour = [-(((n - image) / width) ** 2).mean(dim=1, keepdim=True) for n in neighbours]
    similarity = torch.cat(colour, dim=1).softmax(dim=1)  # (B, shifts, H, W)
    distance = torch.tensor([(y * y + x * x) ** 0.5 for y, x in shifts], device=image.device)
    position = (-((distance / (distance.std() + 1e-8) / position_width) ** 2)).softmax(dim=0)
    weights = similarity + position_weight * position.to(image.dtype).view(1, -1, 1, 1)
    return torch.split(weights, 1, dim=1)


def _shifted(x: Tensor, shifts: Sequence[tuple[int, int]]) -> list[Tensor]:
    """Views of `x` (B, M, H, W) moved by each shift, the border repeated."""
    height, width = x.shape[-2:]
    reach = max(max(abs(dy), abs(dx)) for dy, dx in shifts)
    padded = F.pad(x, (reach, reach, reach, reach), mode="replicate")
    return [
        padded[..., reach + dy : reach + dy + height, reach + dx : reach + dx + width]
        for dy, dx in shifts
    ]
