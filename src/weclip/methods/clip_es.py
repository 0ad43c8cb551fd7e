"""CLIP-ES: masks from images and tags by a frozen CLIP alone; nothing is trained.

Stage 4. Lin et al., "CLIP is Also an Efficient Segmenter: A Text-Driven Approach for Weakly
Supervised Semantic Segmentation", CVPR 2023. The dense CRF that may follow is stage 6's.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from weclip.backbones.clip_image import CLIP_MEAN, CLIP_STD, ClipImageEncoder
from weclip.labels.affinity import box_mask, patch_attention, propagate, sinkhorn_transition
from weclip.labels.cam import pack_tags, softmax_gradcam
from weclip.labels.pixel_refine import ParSettings, pixel_adaptive_refinement
from weclip.labels.pseudo_label import resize_cam, with_background
from weclip.methods.weclip import TextFeatures


@dataclass(frozen=True, kw_only=True)
class ClipEsSettings:
    """Constants of CLIP-ES; sources in `weclip.config`.

    Attributes:
        min_max_eps: Added to the maximum in the min-max scaling.
        background_power: Exponent of the background score.
        attention_layers: How many of the last attention maps are averaged.
        sinkhorn_rounds: Normalisations of columns and rows.
        box_threshold: Share of a map's maximum above which a patch is strong.
        exclusive_box_edge: Leave the last row and column outside every box, as released.
        max_side: Pixels; a longer image is seen smaller. None: never.
        par: Constants of PAR, which CLIP-ES does not have; None for no PAR.
    """

    min_max_eps: float
    background_power: float
    attention_layers: int
    sinkhorn_rounds: int
    box_threshold: float
    exclusive_box_edge: bool
    max_side: int | None
    par: ParSettings | None


@dataclass(frozen=True)
class ClipEsMaps:
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


class ClipEs(nn.Module):
    """CLIP-ES on a frozen CLIP.

    Args:
        image_encoder: Frozen CLIP image encoder.
        text: Text features of the classes and background words.
        settings: Constants.
    """

    def __init__(
        self, *, image_encoder: ClipImageEncoder, text: TextFeatures, settings: ClipEsSettings
    ) -> None:
        super().__init__()
        self.image_encoder = image_encoder
        self.settings = settings
        self.scale = text.scale
        self.register_buffer("class_text", text.classes, persistent=False)
        self.register_buffer("background_text", text.background, persistent=False)
        self.register_buffer("mean", 255 * torch.tensor(CLIP_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", 255 * torch.tensor(CLIP_STD).view(3, 1, 1), persistent=False)

    class_text: Tensor
    background_text: Tensor
    mean: Tensor
    std: Tensor

    @torch.no_grad()
    def forward(self, image: NDArray[np.uint8], tags: tuple[int, ...]) -> ClipEsMaps:
        """Score every pixel of an image for background and for each of its tags.

        Args:
            image: (H, W, 3) uint8, RGB.
            tags: Sorted 0-based class indices. Without any, all is background, of score 1.
        """
        use, size = self.settings, (image.shape[0], image.shape[1])
        class_ids = np.array([0, *(tag + 1 for tag in tags)], np.uint8)
        if not tags:
            none = torch.zeros(0, 1, 1, device=self.mean.device)
            return ClipEsMaps(none, none, none.new_ones(1, *size), class_ids)
        # 1. Frozen CLIP on whole patches: tokens and attention of blocks 1..L-1, then block L
        seen = fit_to_patches(image, self.image_encoder.patch_size, use.max_side)
        normalised = (_as_batch(seen).to(self.mean.device) - self.mean) / self.std  # (1, 3, H', W')
        features = self.image_encoder(normalised, use.attention_layers - 1)
        last = self.image_encoder.run_last_block(features.tokens[-1])
        # 2. Softmax Grad-CAM: each tag against the other tags and the background words
        multi_hot = torch.zeros(1, len(self.class_text), dtype=torch.bool)
        multi_hot[0, list(tags)] = True
        slots = pack_tags(multi_hot).to(self.mean.device)
        cam = softmax_gradcam(
            last,
            slots,
            class_text=self.class_text,
            background_text=self.background_text,
            scale=self.scale,
            patch_grid=features.patch_grid,
            eps=use.min_max_eps,
        ).cam  # (1, K, h, w)
        # 3. Class-aware attention affinity: spread each map within its boxes
        maps = patch_attention([*features.attention, last.attention], use.attention_layers)
        transition = sinkhorn_transition(maps.mean(dim=0), use.sinkhorn_rounds)  # (1, N, N)
        mask = box_mask(cam, use.box_threshold, exclusive_edge=use.exclusive_box_edge)
        refined = propagate(cam, transition, mask)  # (1, K, h, w)
        # 4. Pixels: resize, background score, PAR if asked for
        at_pixels = resize_cam(refined, slots, size, use.min_max_eps)  # (1, K, H, W)
        scores = with_background(at_pixels, use.background_power)  # (1, 1+K, H, W)
        if use.par is not None:
            guide = _as_batch(image).to(scores.device)
            scores = pixel_adaptive_refinement(scores, guide, use.par)
        return ClipEsMaps(cam[0], refined[0], scores[0], class_ids)


def fit_to_patches(
    image: NDArray[np.uint8], patch: int, max_side: int | None = None
) -> NDArray[np.uint8]:
    """Resize an image, bicubic, so that its sides are whole patches; single scale.

    Args:
        image: (H, W, 3) uint8, RGB.
        patch: Pixels per patch side; each side is rounded up to a multiple.
        max_side: A longer image is shrunk to this first, its shape kept; None: never.

    Returns:
        (H', W', 3) uint8.

    >>> fit_to_patches(np.zeros((33, 64, 3), np.uint8), 16).shape
    (48, 64, 3)
    >>> fit_to_patches(np.zeros((500, 1000, 3), np.uint8), 16, 640).shape
    (320, 640, 3)
    """
    height, width = image.shape[:2]
    long = max(height, width)
    most = long if max_side is None else min(long, max_side)
    # In whole numbers: -(-a // b) is a / b rounded up.
    wanted = [-(-side * most // (long * patch)) * patch for side in (height, width)]
    if wanted == [height, width]:
        return image
    picture = Image.fromarray(image).resize((wanted[1], wanted[0]), Image.Resampling.BICUBIC)
    return np.array(picture)


def _as_batch(image: NDArray[np.uint8]) -> Tensor:
    """(1, 3, H, W) float32 in 0..255 of (H, W, 3) uint8."""
    return torch.tensor(image).permute(2, 0, 1)[None].float()
