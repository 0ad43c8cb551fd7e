"""The class token's embedding of a region: it attends to the region's patches and no others.

Stage 2. Used to look at one candidate class again (TagCLIP, Lin et al., AAAI 2024).
"""

import torch
from torch import Tensor

from weclip.backbones.clip.image_encoder import ClipImageEncoder


@torch.no_grad()
def region_embedding(encoder: ClipImageEncoder, image: Tensor, region: Tensor) -> Tensor:
    """Class token after the last block, where it saw only a region; patches see everything.

    Args:
        encoder: Frozen CLIP.
        image: (B, 3, H, W) normalised.
        region: (B, h, w) bool, the patches that the class token attends to beside itself.

    Returns:
        (B, J) of unit length.
    """
    x, _ = encoder.embed(image)  # (B, 1+N, D)
    length = x.shape[1]
    seen = torch.ones(len(x), 1, length, length, dtype=torch.bool, device=x.device)
    seen[:, 0, 0, 1:] = region.flatten(1)
    for block in encoder.transformer.blocks:
        x = block(x, seen)
    return encoder.to_joint(x[:, 0])
