"""Masks from images and tags by a frozen CLIP alone; nothing is trained.

Stage 4. The frame is that of CLIP-ES: Lin et al., "CLIP is Also an Efficient Segmenter: A
Text-Driven Approach for Weakly Supervised Semantic Segmentation", CVPR 2023. Where maps come from
and what spreads them are parts (`labels/tag_maps.py`). The dense CRF that may follow is stage 6's.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from weclip.backbones.clip.image_encoder import ImageFeatures
from weclip.labels.maps.gradcam import tag_slots
from weclip.labels.pixel_refine import ParSettings, pixel_adaptive_refinement
from weclip.labels.pseudo_label import resize_cam, with_background
from weclip.labels.tag_maps import TagMaps
from weclip.methods.decoder import Decoded


@dataclass(frozen=True, kw_only=True)
class TrainingFreeSettings:
    """Constants beside those of the maps; sources in `weclip.config`.

    Attributes:
        background_power: Exponent of the background score.
        scale: How much larger than it is an image is seen.
        max_side: Pixels; a longer image is seen smaller. None: never.
        par: Constants of PAR, which CLIP-ES does not have; None for no PAR.
    """

    background_power: float
    scale: float
    max_side: int | None
    par: ParSettings | None


@dataclass(frozen=True)
class TrainingFreeMaps:
    """What the tags of one image lead to; K tags, in the order of their ids.

    Attributes:
        cam: (K, h, w) in [0, 1], before the affinity.
        refined: (K, h, w), after it.
        scores: (1+K, H, W), 0 or more, background first, of the image's own size.
        class_ids: (1+K,) uint8 class ids of the scores; the first is 0.
    """

    cam: Tensor
    refined: Tensor
    scores: Tensor
    class_ids: NDArray[np.uint8]


class TrainingFree(nn.Module):
    """Maps of tags to scores of pixels.

    Args:
        maps: Maps of tags from the frozen CLIP, and what spreads them.
        settings: Constants.
        decoder: One that was trained before, whose affinity refines the attention (WeCLIP's
            refinement module); None for the attention alone.
    """

    def __init__(
        self, *, maps: TagMaps, settings: TrainingFreeSettings, decoder: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.maps = maps
        self.settings = settings
        self.decoder = decoder

    @torch.no_grad()
    def forward(self, image: NDArray[np.uint8], tags: tuple[int, ...]) -> TrainingFreeMaps:
        """Score every pixel of an image for background and for each of its tags.

        Args:
            image: (H, W, 3) uint8, RGB.
            tags: Sorted 0-based class indices. Without any, all is background, of score 1.
        """
        use, size, device = self.settings, image.shape[:2], self.maps.mean.device
        class_ids = np.array([0, *(tag + 1 for tag in tags)], np.uint8)
        if not tags:
            none = torch.zeros(0, 1, 1, device=device)
            return TrainingFreeMaps(none, none, none.new_ones(1, *size), class_ids)
        # 1. Frozen CLIP on whole patches: tokens and attention of blocks 1..L-1, then block L
        patch = self.maps.image_encoder.patch_size
        seen_image = fit_to_patches(image, patch, use.max_side, use.scale)
        normalised = self.maps.normalise(as_batch(seen_image).to(device))  # (1, 3, H', W')
        maps = self.maps.attention_maps(refined=self.decoder is not None)
        features = self.maps.image_encoder(normalised, maps)
        seen = self.maps.see(features)
        # 2. A map of each tag
        slots = tag_slots(tags, len(self.maps.class_text)).to(device)
        cam = self.maps.make(seen, slots)  # (1, K, h, w)
        # 3. Affinity: spread each map
        refined = self.maps.spread(cam, seen, self._feature_affinity(features)).cam  # (1, K, h, w)
        # 4. Pixels: resize, background score, PAR if asked for
        height, width = size
        eps = self.maps.settings.min_max_eps
        at_pixels = resize_cam(refined, slots, (height, width), eps)  # (1, K, H, W)
        scores = with_background(at_pixels, use.background_power)  # (1, 1+K, H, W)
        if use.par is not None:
            guide = as_batch(image).to(scores.device)
            scores = pixel_adaptive_refinement(scores, guide, use.par)
        return TrainingFreeMaps(cam[0], refined[0], scores[0], class_ids)

    def _feature_affinity(self, features: ImageFeatures) -> Tensor | None:
        """(1, N, N) of the decoder, if there is one."""
        if self.decoder is None:
            return None
        decoded: Decoded = self.decoder(features.tokens, features.patch_grid)
        return decoded.feature_affinity


def fit_to_patches(
    image: NDArray[np.uint8], patch: int, max_side: int | None = None, scale: float = 1.0
) -> NDArray[np.uint8]:
    """Resize an image, bicubic, so that its sides are whole patches; single scale.

    Args:
        image: (H, W, 3) uint8, RGB.
        patch: Pixels per patch side; each side is rounded up to a multiple.
        max_side: A longer image is shrunk to this first, its shape kept; None: never.
        scale: The image is made this much larger before.

    Returns:
        (H', W', 3) uint8.

    >>> fit_to_patches(np.zeros((33, 64, 3), np.uint8), 16).shape
    (48, 64, 3)
    >>> fit_to_patches(np.zeros((500, 1000, 3), np.uint8), 16, 640).shape
    (320, 640, 3)
    """
    height, width = image.shape[:2]
    long = max(height, width)
    most = max(1, round(scale * long))
    most = most if max_side is None else min(most, max_side)
    # In whole numbers: -(-a // b) is a / b rounded up.
    wanted = [-(-side * most // (long * patch)) * patch for side in (height, width)]
    if wanted == [height, width]:
        return image
    picture = Image.fromarray(image).resize((wanted[1], wanted[0]), Image.Resampling.BICUBIC)
    return np.array(picture)


def as_batch(image: NDArray[np.uint8]) -> Tensor:
    """(1, 3, H, W) float32 in 0..255 of (H, W, 3) uint8."""
    return torch.tensor(image).permute(2, 0, 1)[None].float()
