"""Masks from images and tags by a frozen CLIP alone; nothing is trained.

Stage 4. The frame is that of CLIP-ES: Lin et al., "CLIP is Also an Efficient Segmenter: A
Text-Driven Approach for Weakly Supervised Semantic Segmentation", CVPR 2023. Where maps come from
and what spreads them are parts (`labels/tag_maps.py`). The dense CRF that may follow is stage 6's.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from weclip.data.windows import whole
from weclip.labels.banks.feature_bank import digest_of
from weclip.labels.pixel_scores import Par, PixelScores, all_background, pixel_scores
from weclip.labels.regions.of_batch import seen_regions
from weclip.labels.resizing import planes, resized
from weclip.labels.tag_maps import TagMaps
from weclip.labels.tag_slots import TagSlots, tag_slots
from weclip.labels.view import View
from weclip.methods.labelling import LabelMaps, LabelSettings, label_maps_of


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
        scores: (1+K, H, W), 0 or more, background first, of the image's own size; computed when
            they are asked for.
    """

    cam: Tensor
    refined: Tensor
    scores: PixelScores


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

    def forward(self, image: NDArray[np.uint8], tags: tuple[int, ...]) -> TrainingFreeMaps:
        """Score every pixel of an image for background and for each of its tags.

        Args:
            image: (H, W, 3) uint8, RGB.
            tags: Sorted 0-based class indices. Without any, all is background, of score 1.
        """
        return self.together([image], [tags])[0]

    def seen_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Height and width that an image (H, W) is seen at."""
        use = self.settings
        if use.square is not None:
            return use.square, use.square
        return whole_patches(size, self.maps.image_encoder.patch_size, use.max_side, use.scale)

    @torch.no_grad()
    def together(
        self,
        images: Sequence[NDArray[np.uint8]],
        tags: Sequence[tuple[int, ...]],
        regions: Sequence[NDArray[np.int32]] | None = None,
    ) -> list[TrainingFreeMaps]:
        """As `forward` of images that are seen at one size; most of CLIP runs on all at once.

        Args:
            images: The images.
            tags: The tags of each.
            regions: Region numbers (H, W) of each; None: they are made where a part reads them.
        """
        if not any(tags):
            return [self._all_background(image) for image in images]
        # 1. Frozen CLIP on whole patches: tokens and attention of blocks 1..L-1
        seen = torch.cat([self.seen(image) for image in images]).to(self.device)  # (B, 3, H', W')
        view = self.maps.see(seen, refined=self.refine is not None)
        views = views_of(view, images, regions)  # (1, 3, H', W') each
        return [
            self._scored(view, image, own) if own else self._all_background(image)
            for view, image, own in zip(views, images, tags, strict=True)
        ]

    def seen(self, image: NDArray[np.uint8]) -> Tensor:
        """(1, 3, H', W') float32 in 0..255."""
        use = self.settings
        if use.square is not None:
            square = (use.square, use.square)
            return resized(planes(image), square, whole(square))[None]
        patch = self.maps.image_encoder.patch_size
        return as_batch(fit_to_patches(image, patch, use.max_side, use.scale))

    def _all_background(self, image: NDArray[np.uint8]) -> TrainingFreeMaps:
        scores = all_background((image.shape[0], image.shape[1]), self.device)
        return TrainingFreeMaps(scores.maps, scores.maps, scores)

    def _scored(
        self, view: View, image: NDArray[np.uint8], tags: tuple[int, ...]
    ) -> TrainingFreeMaps:
        """Scores of one image (H, W, 3) with tags, from its view."""
        use = self.settings
        slots = tag_slots(tags, len(self.maps.class_text)).to(self.device)
        cam, refined = self._tag_maps(view, slots)  # (1, K, h, w)
        # 4. Pixels: resize, background score, PAR if asked for
        guide = planes(image) if use.square is None else view.rgb[0]  # (3, H, W)
        scores = pixel_scores(
            refined,
            slots,
            (image.shape[0], image.shape[1]),
            eps=self.labels.min_max_eps,
            background_power=self.labels.background_power,
            par=Par(self.labels.par, guide) if use.par else None,
            shares=self.labels.shares,
        )  # (1+K, H, W)
        return TrainingFreeMaps(cam[0], refined[0], scores)

    def tag_maps(self, image: Tensor, slots: TagSlots) -> tuple[Tensor, Tensor]:
        """Maps (1, K, h, w) of RGB (1, 3, H', W') in 0..255, before and after the affinity."""
        return self._tag_maps(self.maps.see(image, refined=self.refine is not None), slots)

    def _tag_maps(self, view: View, slots: TagSlots) -> tuple[Tensor, Tensor]:
        # 2. Block L, and a map of each tag
        cam = self.maps.make(view, slots)  # (1, K, h, w)
        # 3. Affinity: spread each map
        learnt = None
        if self.refine is not None:
            with view.precision():
                learnt = self.refine(view)
        return cam, self.maps.spread(cam, view, learnt).cam

    @torch.no_grad()
    def label_maps(
        self, image: Tensor, tags: tuple[int, ...], *, size: tuple[int, int], step: int = 0
    ) -> LabelMaps:
        """As `Labeller.label_maps`; the last kind is what `forward` scores."""
        slots = tag_slots(tags, len(self.maps.class_text)).to(self.device)
        cam, refined = self.tag_maps(image, slots)
        guide = image[0] if self.settings.par else None
        return label_maps_of(cam, refined, slots, size, labels=self.labels, guide=guide)


def views_of(
    view: View,
    images: Sequence[NDArray[np.uint8]],
    regions: Sequence[NDArray[np.int32]] | None,
) -> Iterator[View]:
    """The view of each image of a batch, with its regions and what a memory knows it by.

    Args:
        view: Of all images (B, 3, H', W').
        images: As they are, (H, W, 3) uint8.
        regions: Region numbers (H, W) of each; None where they are not known.
    """
    size, device = (view.rgb.shape[2], view.rgb.shape[3]), view.rgb.device
    for index, image in enumerate(images):
        one = view.of_image(index)
        if regions is not None:
            one.regions = seen_regions(regions[index], size, device)
        if view.memory is not None:
            one.digest = digest_of(image)
        yield one


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
    size = (image.shape[0], image.shape[1])
    height, width = whole_patches(size, patch, max_side, scale)
    if (height, width) == size:
        return image
    return np.array(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC))


def whole_patches(
    size: tuple[int, int], patch: int, max_side: int | None, scale: float
) -> tuple[int, int]:
    """(H', W') of `fit_to_patches` of an image (H, W)."""
    long = max(size)
    most = max(1, round(scale * long))
    most = most if max_side is None else min(most, max_side)
    # In whole numbers: -(-a // b) is a / b rounded up.
    height, width = (-(-side * most // (long * patch)) * patch for side in size)
    return height, width


def as_batch(image: NDArray[np.uint8]) -> Tensor:
    """(1, 3, H, W) float32 in 0..255 of (H, W, 3) uint8."""
    return planes(image)[None].float()
