"""Masks from images and tags by a frozen CLIP alone; nothing is trained.

Stage 4. The frame is that of CLIP-ES: Lin et al., "CLIP is Also an Efficient Segmenter: A
Text-Driven Approach for Weakly Supervised Semantic Segmentation", CVPR 2023. Where maps come from
and what spreads them are parts (`labels/tag_maps.py`). The dense CRF that may follow is stage 6's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from weclip.labels.pixel_refine import pixel_adaptive_refinement
from weclip.labels.pseudo_label import cam_label_map, label_map_of, resize_cam, with_background
from weclip.labels.tag_maps import TagMaps
from weclip.labels.tag_slots import TagSlots, tag_slots
from weclip.labels.view import View
from weclip.methods.method import LabelMaps, LabelSettings


@dataclass(frozen=True, kw_only=True)
class TrainingFreeSettings:
    """Constants beside those of the maps and labels; sources in `weclip.config`.

    Attributes:
        scale: How much larger than it is an image is seen.
        max_side: Pixels; a longer image is seen smaller. None: never.
        square: Side in pixels of the square that an image is stretched to instead, and which then
            guides PAR, as in ExCEL. None: its own shape.
        par: Whether PAR refines the scores, which CLIP-ES does not have.
    """

    scale: float
    max_side: int | None
    square: int | None
    par: bool


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


FeatureAffinity = Callable[[View], Tensor | None]
"""What a trained method has learnt of pairs of patches: `Method.feature_affinity`."""


class TrainingFree(nn.Module):
    """Maps of tags to scores of pixels.

    Args:
        maps: Maps of tags from the frozen CLIP, and what spreads them.
        settings: Constants.
        labels: Constants of the labels.
        refine: What a trained method has learnt, which refines the attention (WeCLIP's refinement
            module); None for the attention alone.
    """

    needs: Sequence[str] = ("clip",)

    def __init__(
        self,
        *,
        maps: TagMaps,
        settings: TrainingFreeSettings,
        labels: LabelSettings,
        refine: FeatureAffinity | None = None,
    ) -> None:
        super().__init__()
        self.maps = maps
        self.settings = settings
        self.labels = labels
        self.refine = refine

    @property
    def device(self) -> torch.device:
        """Where the method is."""
        return self.maps.mean.device

    @torch.no_grad()
    def forward(self, image: NDArray[np.uint8], tags: tuple[int, ...]) -> TrainingFreeMaps:
        """Score every pixel of an image for background and for each of its tags.

        Args:
            image: (H, W, 3) uint8, RGB.
            tags: Sorted 0-based class indices. Without any, all is background, of score 1.
        """
        use, size = self.settings, (image.shape[0], image.shape[1])
        class_ids = np.array([0, *(tag + 1 for tag in tags)], np.uint8)
        if not tags:
            none = torch.zeros(0, 1, 1, device=self.device)
            return TrainingFreeMaps(none, none, none.new_ones(1, *size), class_ids)
        # 1. Frozen CLIP on whole patches: tokens and attention of blocks 1..L-1, then block L
        pixels = as_batch(image).to(self.device)  # (1, 3, H, W)
        if use.square is not None:
            seen = pixels = F.interpolate(pixels, (use.square, use.square), mode="bilinear")
        else:
            patch = self.maps.image_encoder.patch_size
            fitted = fit_to_patches(image, patch, use.max_side, use.scale)
            seen = as_batch(fitted).to(self.device)  # (1, 3, H', W')
        slots = tag_slots(tags, len(self.maps.class_text)).to(self.device)
        cam, refined = self.tag_maps(seen, slots)  # (1, K, h, w)
        # 4. Pixels: resize, background score, PAR if asked for
        scores = self.pixel_scores(refined, slots, pixels, size)  # (1, 1+K, H, W)
        return TrainingFreeMaps(cam[0], refined[0], scores[0], class_ids)

    def tag_maps(self, image: Tensor, slots: TagSlots) -> tuple[Tensor, Tensor]:
        """Maps (1, K, h, w) of RGB (1, 3, H', W') in 0..255, before and after the affinity."""
        view = self.maps.see(image, refined=self.refine is not None)
        # 2. A map of each tag
        cam = self.maps.make(view, slots)  # (1, K, h, w)
        # 3. Affinity: spread each map
        learnt = None if self.refine is None else self.refine(view)
        return cam, self.maps.spread(cam, view, learnt).cam

    def pixel_scores(
        self, refined: Tensor, slots: TagSlots, image: Tensor, size: tuple[int, int]
    ) -> Tensor:
        """Scores (1, 1+K, H, W) of refined maps; PAR is guided by RGB (1, 3, H', W')."""
        at_pixels = resize_cam(refined, slots, size, self.labels.min_max_eps)  # (1, K, H, W)
        scores = with_background(at_pixels, self.labels.background_power)
        if self.settings.par:
            scores = pixel_adaptive_refinement(scores, image, self.labels.par)
        return scores

    @torch.no_grad()
    def label_maps(
        self, image: Tensor, tags: tuple[int, ...], *, size: tuple[int, int], step: int = 0
    ) -> LabelMaps:
        """As `Labeller.label_maps`; the last kind is what `forward` scores."""
        slots = tag_slots(tags, len(self.maps.class_text)).to(self.device)
        cam, refined = self.tag_maps(image, slots)
        scores = self.pixel_scores(refined, slots, image, size)
        use = (self.labels.min_max_eps, self.labels.background_power)
        return LabelMaps(
            heat=cam[0].amax(0).cpu().numpy(),
            label_map={
                "cam": cam_label_map(cam, slots, size, *use),
                "refined_cam": cam_label_map(refined, slots, size, *use),
                "pseudo_label": label_map_of(scores, slots)[0].cpu(),
            },
        )


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
