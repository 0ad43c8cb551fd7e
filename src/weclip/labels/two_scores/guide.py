"""The colours that guide PAR in AFA.

Stage 3.
"""

import torch
from torch import Tensor

LOWERED = ((1, 6, 61, 62), (56,), (42, 45))
"""Of red, green and blue: levels that come out one less where an image is normalised, put back and
truncated in float32, as AFA's released code does it."""


def colours(image: Tensor, dtype: torch.dtype, *, truncated: bool) -> Tensor:
    """(B, 3, H, W) in 0..1 of RGB in 0..255 of any type; `truncated`: as released."""
    levels = image.to(dtype)
    if truncated:
        lower = torch.zeros(levels.shape, dtype=torch.bool, device=levels.device)
        for channel, rows in enumerate(LOWERED):
            for level in rows:
                lower[:, channel] |= levels[:, channel] == level
        levels = levels - lower.to(dtype)
    return levels / 255
