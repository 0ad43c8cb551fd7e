"""How images and masks are seen where a bank is filled, and again where it is asked."""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from weclip.inference.prediction import LARGEST_PATCH
from weclip.inference.predictor import resize_long_side

BANK_NAME = "bank.safetensors"
"""The bank in a run folder."""


def seen_pixels(image: NDArray[np.uint8], long_side: int | None) -> NDArray[np.uint8]:
    """An image (H, W, 3) as predictions see it, in whole levels."""
    seen = resize_long_side(image, long_side, smallest_side=LARGEST_PATCH)[0]
    levels: NDArray[np.uint8] = seen.round().to(torch.uint8).permute(1, 2, 0).numpy()
    return np.ascontiguousarray(levels)


def nearest_labels(ids: NDArray[np.uint8], size: tuple[int, int]) -> Tensor:
    """Class ids (H, W) at another size."""
    label_map = torch.from_numpy(ids)[None, None].float()
    return F.interpolate(label_map, size, mode="nearest-exact")[0, 0].byte()
