"""What all forms of PAR share: its constants, its neighbours, and what their distance weighs."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

DIRECTIONS = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))


def shifts(dilations: Sequence[int]) -> list[tuple[int, int]]:
    """Neighbours as offsets (y, x) in pixels, 8 per dilation."""
    return [(d * y, d * x) for d in dilations for y, x in DIRECTIONS]


@dataclass(frozen=True)
class ParSettings:
    """Constants of PAR.

    Attributes:
        iterations: How often the weighted sum is repeated.
        dilations: Distances of the neighbours in pixels.
        colour_width: Divides colour distances in units of their local deviation.
        position_width: Divides pixel distances in units of their deviation.
        position_weight: Weight of the position term beside the colour term.
    """

    iterations: int
    dilations: tuple[int, ...]
    colour_width: float
    position_width: float
    position_weight: float


def position_weights(settings: ParSettings) -> Tensor:
    """What each neighbour's weight gets for its distance: (8 * dilations,) float32."""
    distance = torch.tensor([(y * y + x * x) ** 0.5 for y, x in shifts(settings.dilations)])
    score = -((distance / (distance.std() + 1e-8) / settings.position_width) ** 2)
    return settings.position_weight * score.softmax(dim=0)
