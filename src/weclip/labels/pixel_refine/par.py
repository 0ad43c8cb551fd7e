"""PAR, pixel-adaptive refinement: maps flow between neighbours of similar colour.

Stage 3, AFA section 3.4 (Ru et al., CVPR 2022). Each pixel becomes a weighted sum of 8 neighbours
per dilation; weights come from the image once, then the sum is repeated. The work is done by
`native` on a CPU, by `triton_kernels` on a CUDA device, and by `portable` elsewhere.
"""

import time
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from importlib.util import find_spec
from math import isqrt

import torch
import torch.nn.functional as F
from torch import Tensor

from weclip.data.windows import Window
from weclip.labels.pixel_refine import portable
from weclip.labels.pixel_refine.settings import ParSettings
from weclip.system.errors import Notice
from weclip.system.untrusted.text import one_line

NUMBERS = 3 * 2**26
"""Numbers that a window of a large image takes, 768 MiB in float32."""

ROW_NUMBERS = 2**27
"""Numbers that are held of a large image whose rows come in one after the other, 512 MiB."""

ROWS = 128
"""Rows that come in at once there."""

COPIES = 6
"""Of each map and channel that are held at once."""

SMALLEST_SIDE = 512
"""Pixels; smaller windows would mostly refine what lies around them."""


@torch.no_grad()
def pixel_adaptive_refinement(
    maps: Tensor, image: Tensor, settings: ParSettings, filled: Tensor | None = None
) -> Tensor:
    """Refine maps by the image.

    Args:
        maps: (B, M, H, W).
        image: (B, 3, H', W'); resized bilinearly to (H, W) if it differs.
        settings: Constants.
        filled: (B, M) bool, which maps count; the others cost nothing and come out as 0.
            None where all do.

    Returns:
        (B, M, H, W).
    """
    if image.shape[-2:] != maps.shape[-2:]:
        image = F.interpolate(image, size=maps.shape[-2:], mode="bilinear", align_corners=True)
    if filled is None:
        filled = torch.ones(maps.shape[:2], dtype=torch.bool, device=maps.device)
    exact = torch.promote_types(maps.dtype, torch.float32)
    spread = _implementation(maps.device) if exact == torch.float32 else portable.spread
    return spread(maps.to(exact), image.to(exact), filled, settings).to(maps.dtype)


def reach_of(settings: ParSettings) -> int:
    """Pixels from which anything can reach a pixel, along each axis."""
    return settings.iterations * max(settings.dilations)


def par_windows(
    size: tuple[int, int], count: int, settings: ParSettings, most: int = NUMBERS
) -> Iterator[Window]:
    """Cut an image into windows whose refinement, with all that reaches them, takes so much memory.

    What reaches a window is refined again with its neighbours, so they are as large as `most`
    allows: an image of usual size is one window.

    Args:
        size: (H, W).
        count: M, maps that are refined.
        settings: Constants.
        most: Numbers that are held at once: weights of neighbours, and a few of each map.
    """
    height, width = size
    pixels = most // _numbers(count, settings)
    if fits_whole(size, count, settings, most):
        yield slice(0, height), slice(0, width)
        return
    around = 2 * reach_of(settings)
    rows = min(height, max(SMALLEST_SIDE, isqrt(pixels) - around))
    columns = max(SMALLEST_SIDE, pixels // min(height, rows + around) - around)
    for y in range(0, height, rows):
        for x in range(0, width, columns):
            yield slice(y, min(y + rows, height)), slice(x, min(x + columns, width))


def fits_whole(size: tuple[int, int], count: int, settings: ParSettings, most: int) -> bool:
    """Whether the refinement of M = `count` maps (H, W) takes at most so many numbers."""
    return size[0] * size[1] <= most // _numbers(count, settings)


def par_strips(
    size: tuple[int, int], count: int, settings: ParSettings, most: int = ROW_NUMBERS
) -> Iterator[slice]:
    """Cut an image into strips of columns, whose rows `spread_rows` refines one after the other.

    Arguments as in `par_windows`; what lies beside a strip is refined again with it.
    """
    reach, width = reach_of(settings), size[1]
    weights = 8 * len(settings.dilations) * (reach + 2 * ROWS)
    wide = most // (weights + count * (2 * reach + COPIES * ROWS))
    columns = width if width <= wide else max(SMALLEST_SIDE, wide - 2 * reach)
    for left in range(0, width, columns):
        yield slice(left, min(left + columns, width))


def _numbers(count: int, settings: ParSettings) -> int:
    """What is held of a pixel: weights of its neighbours, and a few copies of each map."""
    return 8 * len(settings.dilations) + COPIES * (count + 1)


def compile_for(device: torch.device) -> float:
    """Compile what the refinement needs on a device, if that was never done; seconds it took."""
    start = time.perf_counter()
    settings = ParSettings(
        iterations=1, dilations=(1,), colour_width=1, position_width=1, position_weight=0
    )
    tiny = torch.zeros(1, 3, 2, 2, device=device)
    pixel_adaptive_refinement(tiny, tiny, settings)
    return time.perf_counter() - start


@cache
def has_numba() -> bool:
    """Whether numba works here; without it the portable form runs, and that is said once."""
    try:
        import numba  # noqa: F401  # it refuses a NumPy that is newer than it knows
    except ImportError as error:
        missing = isinstance(error, ModuleNotFoundError)
        reason = "not installed: pip install 'weclip[fast]'" if missing else one_line(error)
        warnings.warn(
            f"the pixel refinement (PAR) runs without numba, several times slower ({reason})",
            Notice,
            stacklevel=2,
        )
        return False
    return True


def _implementation(device: torch.device) -> Callable[..., Tensor]:
    """The fastest form of the refinement on a device."""
    if device.type == "cpu" and has_numba():  # when it runs: it takes a second, wants a cache
        from weclip.labels.pixel_refine import native

        return native.spread
    if device.type == "cuda" and find_spec("triton"):
        from weclip.labels.pixel_refine import triton_kernels

        return triton_kernels.spread
    return portable.spread
