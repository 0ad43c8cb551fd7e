"""Regions of a batch of images that only a training step or a prediction sees, such as crops.

Stage 3. Regions of whole files are made or read once, and handed to the view.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from weclip.backbones.guide import Guide
from weclip.labels.region_attention.ids import nearest_ids
from weclip.labels.regions.regions import Regions, RegionSource
from weclip.labels.resizing import planes


def region_maps(
    source: RegionSource, rgb: Tensor, guide: Callable[[Tensor], Guide] | None
) -> Tensor:
    """Numbers (B, H, W) int64 of the regions of RGB images (B, 3, H, W) in 0..255.

    Args:
        source: What cuts an image into regions.
        rgb: The images.
        guide: The second encoder, RGB (B, 3, H, W) in 0..255 to a `Guide`; None: there is none.
    """

    def guide_of(image: NDArray[np.uint8]) -> Guide:
        assert guide is not None
        return guide(planes(image)[None].to(rgb.device))

    images = rgb.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    maps = [source(each, guide_of if guide is not None else None).id_map for each in images]
    return torch.from_numpy(np.stack(maps).astype(np.int64)).to(rgb.device)


def given_regions(regions: Regions | None, image: Tensor) -> Tensor | None:
    """Numbers (1, H, W) int64 for an image (1, 3, H, W), of its own regions; None without any."""
    size = (image.shape[2], image.shape[3])
    return None if regions is None else seen_regions(regions.id_map, size, image.device)


def seen_regions(id_map: NDArray[np.int32], size: tuple[int, int], device: torch.device) -> Tensor:
    """Numbers (1, H', W') int64 of an image's own regions (H, W), as it is seen at (H', W')."""
    return nearest_ids(torch.from_numpy(id_map.astype(np.int64)), size)[None].to(device)
