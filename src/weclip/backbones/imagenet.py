"""How ImageNet's images are normalised, as DINOv2 and SegFormer want it.

Stage 2.
"""

import torch
from torch import Tensor

IMAGENET_MEAN = (123.675 / 255, 116.28 / 255, 103.53 / 255)
IMAGENET_STD = (58.395 / 255, 57.12 / 255, 57.375 / 255)


def per_channel(values: tuple[float, float, float]) -> Tensor:
    """(3, 1, 1) for pixels of 0..255, of numbers for 0..1."""
    return 255 * torch.tensor(values).view(3, 1, 1)
