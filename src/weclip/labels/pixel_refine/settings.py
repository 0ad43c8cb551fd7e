"""What all forms of PAR share: its constants, its neighbours, and what their distance weighs."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

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


CPU = torch.device("cpu")


@cache
def position_weights(settings: ParSettings, device: torch.device = CPU) -> Tensor:
    """What each neighbour's weight gets for its distance: (8 * dilations,) float32.

    Made and sent once for a device, which would have to be waited for each time.
    """
    with torch.inference_mode(False):
        distance = torch.tensor([(y * y + x * x) ** 0.5 for y, x in shifts(settings.dilations)])
        score = -((distance / (distance.std() + 1e-8) / settings.position_width) ** 2)
        return (settings.position_weight * score.softmax(dim=0)).to(device)


@cache
def offsets_on(device: torch.device, dilations: tuple[int, ...]) -> Tensor:
    """The neighbours of `shifts` as (8 * dilations, 2) int32; sent once for a device."""
    with torch.inference_mode(False):
        return torch.tensor(shifts(dilations), dtype=torch.int32, device=device)
