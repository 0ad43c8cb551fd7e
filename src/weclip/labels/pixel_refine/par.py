"""PAR, pixel-adaptive refinement: maps flow between neighbours of similar colour.

Stage 3, AFA section 3.4 (Ru et al., CVPR 2022). Each pixel becomes a weighted sum of 8 neighbours
per dilation; weights come from the image once, then the sum is repeated. The work is done by
`native` on a CPU, by `triton_kernels` on a CUDA device, and by `portable` elsewhere.
"""

import time
from collections.abc import Callable
from importlib.util import find_spec

import torch
import torch.nn.functional as F
from torch import Tensor

from weclip.labels.pixel_refine import portable
from weclip.labels.pixel_refine.settings import ParSettings


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
    refined = _implementation(maps.device)(maps.float(), image.float(), filled, settings)
    return refined.to(maps.dtype)


def compile_for(device: torch.device) -> float:
    """Compile what the refinement needs on a device, if that was never done; seconds it took."""
    start = time.perf_counter()
    settings = ParSettings(
        iterations=1, dilations=(1,), colour_width=1, position_width=1, position_weight=0
    )
    tiny = torch.zeros(1, 3, 2, 2, device=device)
    pixel_adaptive_refinement(tiny, tiny, settings)
    return time.perf_counter() - start


def _implementation(device: torch.device) -> Callable[..., Tensor]:
    """The fastest form of the refinement on a device."""
    if device.type == "cpu":  # imported when it runs: numba takes a second, and wants a cache
        from weclip.labels.pixel_refine import native

        return native.spread
    if device.type == "cuda" and find_spec("triton"):
        from weclip.labels.pixel_refine import triton_kernels

        return triton_kernels.spread
    return portable.spread
