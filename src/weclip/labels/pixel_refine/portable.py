"""PAR in plain PyTorch operations, for any device.

Neighbours are views of a padded tensor, so that no operation gathers.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from weclip.labels.pixel_refine.settings import ParSettings, position_weights, shifts


def spread(maps: Tensor, image: Tensor, filled: Tensor, settings: ParSettings) -> Tensor:
    """Refine float32 or float64 maps; arguments as in `par`, the image of their size and type."""
    offsets = shifts(settings.dilations)
    position = position_weights(settings, maps.device).to(maps.dtype)
    weights = neighbour_weights(image, position, offsets, settings.colour_width)
    maps = maps * filled[..., None, None]
    for _ in range(settings.iterations):
        refined = torch.zeros_like(maps)
        for weight, neighbour in zip(weights, _shifted(maps, offsets), strict=True):
            refined.addcmul_(weight, neighbour)
        maps = refined
    return maps


def neighbour_weights(
    image: Tensor, position: Tensor, offsets: Sequence[tuple[int, int]], colour_width: float
) -> tuple[Tensor, ...]:
    """Weight (B, 1, H, W) of every neighbour of every pixel of an image (B, 3, H, W)."""
    neighbours = _shifted(image, offsets)
    mean = sum(neighbours, torch.zeros_like(image)) / len(offsets)
    squares = torch.zeros_like(image)
    for neighbour in neighbours:
        squares += (neighbour - mean) ** 2
    width = ((squares / (len(offsets) - 1)).sqrt() + 1e-8) * colour_width
    colour = [-(((n - image) / width) ** 2).mean(dim=1, keepdim=True) for n in neighbours]
    similarity = torch.cat(colour, dim=1).softmax(dim=1)  # (B, offsets, H, W)
    return torch.split(similarity + position.view(1, -1, 1, 1), 1, dim=1)


def _shifted(x: Tensor, offsets: Sequence[tuple[int, int]]) -> list[Tensor]:
    """Views of `x` (B, M, H, W) moved by each offset, the border repeated."""
    height, width = x.shape[-2:]
    reach = max(max(abs(dy), abs(dx)) for dy, dx in offsets)
    padded = F.pad(x, (reach, reach, reach, reach), mode="replicate")
    return [
        padded[..., reach + dy : reach + dy + height, reach + dx : reach + dx + width]
        for dy, dx in offsets
    ]
