"""Positional embeddings resized to the patch grid of an image.

Stage 2. While a model is exported the image size is free. Exporters know no bicubic filter of a
free size, with antialiasing or by a factor; a matrix product with weights that are computed from
the size is the same sum.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

OFFSET = 0.1
"""Added to a grid before its scale is taken; DINO's and DINOv2's released code."""

WITHOUT, WITH = -0.75, -0.5
"""The cubic filter's constant in PyTorch, without and with antialiasing."""


Resize = Callable[[Tensor, tuple[int, int]], Tensor]
"""Positions (1+M*M, D) of class token and patches, patch grid (h, w) -> (1+h*w, D)."""


def bilinear(stored: Tensor, grid: tuple[int, int]) -> Tensor:
    """Half-pixel centres, as in the released code of WeCLIP; a `Resize`."""
    native = native_grid(stored)
    if not torch.compiler.is_exporting() and grid == (native, native):  # exported: it is free
        return stored
    resized = F.interpolate(_planes(stored), size=grid, mode="bilinear", align_corners=False)
    return _with_class_token(stored, resized)


def bicubic(stored: Tensor, grid: tuple[int, int]) -> Tensor:
    """By a scale factor that `OFFSET` shifts, without antialiasing; a `Resize`.

    So do DINO, and DINOv2 without registers.
    """
    native = native_grid(stored)
    if grid == (native, native):
        return stored
    factor = ((grid[0] + OFFSET) / native, (grid[1] + OFFSET) / native)
    resized = F.interpolate(_planes(stored), scale_factor=factor, mode="bicubic")
    return _with_class_token(stored, resized)


def bicubic_antialiased(stored: Tensor, grid: tuple[int, int]) -> Tensor:
    """To the size, with antialiasing, as DINOv2 with registers does; a `Resize`."""
    native = native_grid(stored)
    if grid == (native, native):
        return stored
    resized = F.interpolate(_planes(stored), size=grid, mode="bicubic", antialias=True)
    return _with_class_token(stored, resized)


def bicubic_by_count(stored: Tensor, grid: tuple[int, int]) -> Tensor:
    """As `bicubic`, but as stored if the number of patches is the stored one, whatever their shape.

    Released code of CorrCLIP; a `Resize`.
    """
    return stored if 1 + grid[0] * grid[1] == len(stored) else bicubic(stored, grid)


def native_grid(stored: Tensor) -> int:
    """Patches M of a side that positions (1+M*M, D) are stored for."""
    side: int = round((len(stored) - 1) ** 0.5)
    return side


def _planes(stored: Tensor) -> Tensor:
    """Positions of the patches as an image (1, D, M, M) float32."""
    native = native_grid(stored)
    return stored[1:].float().view(1, native, native, -1).permute(0, 3, 1, 2)


def _with_class_token(stored: Tensor, resized: Tensor) -> Tensor:
    """(1+h*w, D) of resized planes (1, D, h, w), behind the class token's position."""
    return torch.cat([stored[:1], resized.flatten(2)[0].T.to(stored.dtype)])


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
