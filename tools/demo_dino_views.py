"""Two views of a picture that show much of the same place in other sizes, angles and colours.

Everything is done for a whole batch at once, from the pixels alone.
"""

import math
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

PATCH = 8


@dataclass(frozen=True)
class Views:
    """One view of each picture of a batch.

    Attributes:
        images: (B, 3, S, S), RGB in 0..1.
        truth: (B, 3, S, S), the same in the picture's own colours.
        place: (B, 3, 3), takes homogeneous (x, y, 1) of the view to the picture; both in -1..1.
        detail: (B, N), how much the pixels of each patch differ in the true colours.
    """

    images: Tensor
    truth: Tensor
    place: Tensor
    detail: Tensor


def uniform(count: int, low: float, high: float) -> Tensor:
    """(B, 1, 1, 1) random numbers."""
    return torch.empty(count, 1, 1, 1).uniform_(low, high)


def two_views(
    pictures: Tensor, size: int, scale: tuple[float, float], strength: float
) -> tuple[Views, Views]:
    """Cut two views of every picture, more often where it shows something.

    Args:
        pictures: (B, 3, P, P), RGB in 0..1.
        size: Pixels S per side of a view.
        scale: Least and largest side of a view, as a share of the picture's.
        strength: 0..1, how many of the changes of colour are made.
    """
    shown = (detail(pictures, pictures.shape[-1] // 8) - 0.05).clamp(0.005, 0.1)
    cell = shown.multinomial(1)[:, 0]
    centre = (torch.stack([cell % 8, cell // 8], dim=1) + torch.rand(len(cell), 2)) / 4 - 1
    views = [cut(pictures, centre, size, scale) for _ in range(2)]
    seen, other = (replace(view, images=recolour(view.images, strength)) for view in views)
    return seen, other


def cut(pictures: Tensor, centre: Tensor, size: int, scale: tuple[float, float]) -> Views:
    """One view near `centre` (B, 2) of every picture; arguments as in `two_views`."""
    count = len(pictures)
    side = torch.exp(uniform(count, math.log(scale[0]), math.log(scale[1]))).flatten()
    aspect = torch.exp(uniform(count, -0.2, 0.2)).flatten()
    angle = uniform(count, -0.35, 0.35).flatten()
    flip = torch.where(torch.rand(count) < 0.5, -1.0, 1.0)
    cos, sin = torch.cos(angle), torch.sin(angle)
    place = torch.zeros(count, 3, 3)
    place[:, 0, 0], place[:, 0, 1] = flip * side * aspect * cos, -side * sin
    place[:, 1, 0], place[:, 1, 1] = flip * side * aspect * sin, side * cos
    room = (1.1 - side).clamp_min(0.05)[:, None]
    shift = 0.3 * side[:, None] * torch.randn(count, 2)
    place[:, :2, 2] = (centre + shift).clamp(-room, room)
    place[:, 2, 2] = 1
    grid = F.affine_grid(place[:, :2], [count, 3, size, size], align_corners=False)
    images = F.grid_sample(pictures, grid, padding_mode="reflection", align_corners=False)
    return Views(images, images, place, detail(images))


def detail(images: Tensor, side: int = PATCH) -> Tensor:
    """Standard deviation (B, N) of the grey pixels of each square of `side` pixels."""
    cells = images.mean(1).unflatten(2, (-1, side)).unflatten(1, (-1, side))
    return cells.std((2, 4)).flatten(1)  # of (B, h, side, w, side)


def recolour(images: Tensor, strength: float) -> Tensor:
    """Change the colours, sharpness and noise of images (B, 3, S, S) in 0..1, each differently."""
    x = images.clone()
    for chance, change in (
        (0.25, palette),
        (0.65, turned),
        (0.2, lambda part: part.mean(1, keepdim=True).expand_as(part)),
        (0.06, lambda part: 1 - part),
        (0.3, bent),
        (0.8, shifted),
        (0.3, refocused),
        (0.25, outlined),
        (0.4, lambda part: part + torch.randn_like(part) * uniform(len(part), 0, 0.06)),
    ):
        chosen = torch.rand(len(x)) < chance * strength
        x[chosen] = change(x[chosen])
    return x.clamp(0, 1)


def palette(x: Tensor) -> Tensor:
    """Replace every colour by that of a random smooth function of it."""
    count = len(x)
    first = torch.randn(count, 8, 3) * 4
    second = torch.randn(count, 3, 8) * 0.8
    flat = (x - 0.5).flatten(2)
    hidden = torch.tanh(first @ flat + torch.randn(count, 8, 1) * 1.5)
    return torch.sigmoid(second @ hidden).view_as(x)


def turned(x: Tensor) -> Tensor:
    """Turn the hue by a random angle, and change the saturation."""
    count = len(x)
    angle = uniform(count, -math.pi, math.pi)[..., 0]
    angle = angle * torch.where(torch.rand_like(angle) < 0.5, 0.15, 1.0)
    third = torch.full((3, 3), 1 / 3)
    cross = torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)
    saturation = uniform(count, 0.3, 1.6)[..., 0]
    own = torch.cos(angle) * (torch.eye(3) - third) + torch.sin(angle) * cross
    matrix = third + saturation * own
    return (matrix @ x.flatten(2)).view_as(x)


def bent(x: Tensor) -> Tensor:
    """Change the gamma."""
    return x.clamp(1e-3, 1) ** torch.exp(uniform(len(x), -0.5, 0.5))


def shifted(x: Tensor) -> Tensor:
    """Change contrast and brightness."""
    shift = uniform(len(x), -0.15, 0.15)
    return (x - 0.5) * torch.exp(uniform(len(x), -0.5, 0.3)) + 0.5 + shift


def refocused(x: Tensor) -> Tensor:
    """Blur or sharpen."""
    mean = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)
    return torch.lerp(x, mean, uniform(len(x), -0.8, 1.0))


def outlined(x: Tensor) -> Tensor:
    """Darken where neighbours differ, as lines about two pixels wide."""
    grey = x.mean(1, keepdim=True)
    contrast = F.max_pool2d(grey, 3, 1, 1) + F.max_pool2d(-grey, 3, 1, 1)
    return x - (contrast - 0.12).clamp(0, 0.4) * uniform(len(x), 0.5, 2.5)
