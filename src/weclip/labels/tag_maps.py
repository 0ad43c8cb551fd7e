"""From images to a map for each of their tags, by a frozen CLIP and two parts chosen by name.

Stage 3. WeCLIP and the methods without training share it.
"""

from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn

from weclip.backbones.clip.image_encoder import ClipImageEncoder
from weclip.backbones.clip.text_features import TextFeatures
from weclip.backbones.dino.image_encoder import DinoImageEncoder
from weclip.labels.spreading import Refined
from weclip.labels.tag_slots import TagSlots
from weclip.labels.view import View
from weclip.parts import not_provided
from weclip.system.errors import InputError


class MapSource(Protocol):
    """Where maps come from."""

    reads: ClassVar[Any]
    """Names of `view.READABLE`."""

    def __call__(self, view: View, slots: TagSlots) -> Tensor:
        """Maps (B, K, h, w) in [0, 1] of the tags; 0 in empty slots."""


class Affinity(Protocol):
    """What spreads maps. One that reads attention may have `attention_layers`, as a hint."""

    reads: ClassVar[Any]

    def __call__(self, cam: Tensor, view: View, feature_affinity: Tensor | None) -> Refined:
        """Spread maps (B, K, h, w), which `feature_affinity` (B, N, N) of a decoder may refine."""


class TagMaps(nn.Module):
    """Maps of tags from a frozen CLIP.

    Args:
        image_encoder: Frozen CLIP image encoder.
        text: Text features of the classes and background words.
        source: Where maps come from.
        affinity: What spreads them.
        mean: RGB mean of the input normalisation, in 0..1.
        std: RGB standard deviation of it.
        guide: Frozen second encoder, RGB (B, 3, H, W) in 0..255 to a `Guide`; None: there is none.
    """

    def __init__(
        self,
        *,
        image_encoder: ClipImageEncoder,
        text: TextFeatures,
        source: MapSource,
        affinity: Affinity,
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
        guide: DinoImageEncoder | None = None,
    ) -> None:
        super().__init__()
        self.image_encoder = image_encoder
        self.source = source
        self.affinity = affinity
        self.guide = guide
        self.scale = text.scale
        self.register_buffer("class_text", text.classes, persistent=False)
        self.register_buffer("background_text", text.background, persistent=False)
        self.register_buffer("mean", 255 * torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", 255 * torch.tensor(std).view(3, 1, 1), persistent=False)

    class_text: Tensor
    background_text: Tensor
    mean: Tensor
    std: Tensor

    @property
    def second_encoder(self) -> DinoImageEncoder:
        """The frozen second encoder.

        Raises:
            InputError: There is none.
        """
        if self.guide is None:
            raise InputError(not_provided("a part", "guide"))
        return self.guide

    def normalise(self, image: Tensor) -> Tensor:
        """RGB (B, 3, H, W) in 0..255, any type, to what the encoder expects."""
        return (image.to(self.mean.dtype) - self.mean) / self.std

    def see(
        self, image: Tensor, *, refined: bool = False, all_maps: bool = False, skipped: int = 0
    ) -> View:
        """What the encoder sees of RGB images (B, 3, H, W) in 0..255; nothing is computed yet.

        Args:
            image: The images.
            refined: Whether a decoder's affinity will refine the attention.
            all_maps: Whether the attention of all blocks will be read.
            skipped: As `View.skipped`.
        """
        layers = getattr(self.affinity, "attention_layers", None)
        wanted = layers(refined=refined) if layers else 1
        return View(
            encoder=self.image_encoder,
            rgb=image,
            normalised=self.normalise(image),
            texts=TextFeatures(self.class_text, self.background_text, self.scale),
            formed=self.image_encoder.depth - 1 if all_maps else wanted - 1,
            providers={} if self.guide is None else {"guide": self.guide},
            skipped=skipped,
        )

    @torch.no_grad()
    def make(self, view: View, slots: TagSlots) -> Tensor:
        """Maps (B, K, h, w) in [0, 1] of the tags; 0 in empty slots."""
        with torch.autocast(self.mean.device.type, enabled=False):
            return self.source(view, slots)

    @torch.no_grad()
    def spread(self, cam: Tensor, view: View, feature_affinity: Tensor | None) -> Refined:
        """Spread maps (B, K, h, w).

        Args:
            cam: The maps.
            view: What they were made of.
            feature_affinity: (B, N, N) of a decoder that refines the attention; None without.
        """
        with torch.autocast(self.mean.device.type, enabled=False):
            return self.affinity(cam, view, feature_affinity)
