"""Positional embeddings resized by matrices, for graphs whose image size is free.

Stage 2, while a model is exported. Exporters know no bicubic filter of a free size, with
antialiasing or by a factor; a matrix product with weights that are computed from the size is the
same sum.
"""

import torch
from torch import Tensor

WITHOUT, WITH = -0.75, -0.5
"""The cubic filter's constant in PyTorch, without and with antialiasing."""


def bicubic_matrix(native: int, length: int, *, offset: float = 0.0, antialias: bool) -> Tensor:
    """(length, native) weights that resize a side, bicubic, as `F.interpolate` does.

    Args:
        native: Length of the side as it is.
        length: Length wanted; may be free.
        offset: Added to the length before the scale factor is taken of it.
        antialias: As in `F.interpolate`; the filter is wider then where a side shrinks.
    """
    wanted = torch.arange(length, dtype=torch.float32)[:, None]
    there = torch.arange(native, dtype=torch.float32)[None]
    ratio = native / (wanted.shape[0] + offset)
    if antialias:
        width = torch.clamp(torch.full((1, 1), 1.0) * ratio, min=1.0)
        weights = _cubic(((there + 0.5) - (wanted + 0.5) * ratio) / width, WITH)
        return weights / weights.sum(dim=1, keepdim=True)
    place = (wanted + 0.5) * ratio - 0.5
    first = place.floor()
    weights = torch.zeros_like(wanted) * torch.zeros_like(there)
    for step in (-1, 0, 1, 2):  # what lies beyond the border counts for the border
        tap = (first + step).clamp(0, native - 1)
        weights = weights + (there == tap) * _cubic(place - (first + step), WITHOUT)
    return weights


def _cubic(x: Tensor, a: float) -> Tensor:
    """The cubic convolution filter (Keys, 1981) at distances `x`."""
    x = x.abs()
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((x - 5) * x + 8) * x * a - 4 * a
    return torch.where(x < 1, near, torch.where(x < 2, far, torch.zeros_like(x)))
