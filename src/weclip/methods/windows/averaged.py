"""CorrCLIP's features, or their cosines with words, averaged over windows that overlap.

Stage 4. Zhang, Liu, Tang, "CorrCLIP", ICCV 2025, as in its released code: one loop for the label
map, where cosines are averaged, and for a bank of regions, where features are.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from weclip.backbones.clip.image_encoder import ClipImageEncoder
from weclip.backbones.clip.region_tokens import block_inputs
from weclip.backbones.dino.image_encoder import DinoImageEncoder
from weclip.backbones.positions import Resize
from weclip.labels.region_attention.embedding import (
    RegionAttentionSettings,
    RegionEmbedding,
    region_embedding,
)
from weclip.labels.region_attention.ids import nearest_ids
from weclip.labels.resizing import resized
from weclip.methods.windows.cutting import (
    Cut,
    WindowSettings,
    cut,
    resized_levels,
    sliding_windows,
)
from weclip.methods.windows.guides import (
    GUIDES,
    WHOLE,
    WindowGuide,
    whole_features,
    whole_guide,
    window_guide,
)

Read = Callable[[RegionEmbedding], Tensor]
"""A window's features -> what is averaged, rows (N, K)."""


class WindowedRegionAttention(nn.Module):
    """CorrCLIP over windows, on two frozen encoders.

    Args:
        image_encoder: Frozen CLIP.
        guide_encoder: Frozen DINO or DINOv2.
        guide: One of `GUIDES`.
        mean: (3, 1, 1) of 0..255, which CLIP's images are normalised with.
        std: (3, 1, 1) likewise.
        attention: Constants of CorrCLIP.
        windows: How an image is cut.
        positions: Fits CLIP's positions to a window's patch grid.
    """

    def __init__(
        self,
        *,
        image_encoder: ClipImageEncoder,
        guide_encoder: DinoImageEncoder,
        guide: str,
        mean: Tensor,
        std: Tensor,
        attention: RegionAttentionSettings,
        windows: WindowSettings,
        positions: Resize,
    ) -> None:
        super().__init__()
        assert guide in GUIDES
        self.image_encoder = image_encoder
        self.guide_encoder = guide_encoder
        self.guide = guide
        self.attention = attention
        self.windows = windows
        self.positions = positions
        self.register_buffer("mean", mean.clone(), persistent=False)
        self.register_buffer("std", std.clone(), persistent=False)

    mean: Tensor
    std: Tensor

    def cosines(self, image: NDArray[np.uint8], ids: Tensor, text: Tensor) -> Tensor:
        """Cosines (Q, H', W') with texts (Q, J) of unit length, at the size it is cut at.

        Args:
            image: (H, W, 3) uint8, RGB.
            ids: (H, W) int64 of regions; 0: in none.
            text: The texts.

        Raises:
            ValueError: Image and regions differ in size.
        """
        return self._of_image(image, ids, lambda made: made.unit() @ text.T)

    def features(self, image: NDArray[np.uint8], ids: Tensor) -> Tensor:
        """Features (J, H', W') in the joint space, not unit; arguments as of `cosines`."""
        return self._of_image(image, ids, lambda made: made.features)

    def _of_image(self, image: NDArray[np.uint8], ids: Tensor, read: Read) -> Tensor:
        own = (image.shape[0], image.shape[1])
        if tuple(ids.shape) != own:
            raise ValueError(f"regions of {tuple(ids.shape)}, but an image of {own}")
        size = self.windows.seen_size(own)
        rgb = resized_levels(image, size).to(self.mean.device)
        seen = nearest_ids(ids.to(self.mean.device), size)
        return self.averaged(rgb, seen, self.guide_of(image), read)

    def guide_of(self, image: NDArray[np.uint8]) -> WindowGuide:
        """The guide of each window of an image (H, W, 3)."""
        if self.guide == WHOLE:
            features = whole_features(self.guide_encoder, image)
            return whole_guide(features, self.image_encoder.patch_size)
        return window_guide(self.guide_encoder)

    @torch.no_grad()
    def averaged(self, rgb: Tensor, ids: Tensor, guide: WindowGuide, read: Read) -> Tensor:
        """What is read of each window, bilinear to its pixels, averaged where windows overlap.

        Args:
            rgb: (3, H, W) float32 in 0..255.
            ids: (H, W) int64.
            guide: Of `guide_of`.
            read: What is averaged.

        Returns:
            (K, H, W).
        """
        total = None
        count = torch.zeros(rgb.shape[1:], device=rgb.device)
        for part in self.cuts(rgb, ids):
            made = self.embedding(part, guide)
            with torch.autocast(rgb.device.type, enabled=False):
                maps = resized(made.planes(read(made)), part.size, part.inner)  # (K, rows, columns)
            if total is None:
                total = maps.new_zeros(len(maps), *count.shape)
            total[:, part.window[0], part.window[1]] += maps
            count[part.window] += 1
        assert total is not None
        return total.div_(count)

    def cuts(self, rgb: Tensor, ids: Tensor) -> Iterator[Cut]:
        """All windows of an image (3, H, W) with ids (H, W), row by row."""
        use, size = self.windows, (rgb.shape[1], rgb.shape[2])
        multiple = use.padded_to(self.image_encoder.patch_size)
        for window in sliding_windows(size, use.side, use.stride):
            yield cut(rgb, ids, window, multiple, self.mean)

    @torch.no_grad()
    def embedding(self, part: Cut, guide: WindowGuide) -> RegionEmbedding:
        """CorrCLIP's features of a window."""
        normalised = (part.rgb - self.mean) / self.std
        entering, grid = block_inputs(self.image_encoder, normalised, self.positions)
        seen = guide(part)
        return region_embedding(
            self.image_encoder,
            entering,
            grid,
            seen.features[0],
            seen.patch_grid,
            part.ids,
            self.attention,
        )
