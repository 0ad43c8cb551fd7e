"""From images to a map for each of their tags, by a frozen CLIP and two parts chosen by name.

Stage 3. WeCLIP and the methods without training share it.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, Protocol, TypeVar

import torch
from torch import Tensor, nn

from weclip.backbones.clip.image_encoder import ClipImageEncoder
from weclip.backbones.clip.text_features import TextFeatures
from weclip.backbones.dino.image_encoder import DinoImageEncoder
from weclip.backbones.graphs.replayed import Graphs
from weclip.labels.banks.embedded import Embedder
from weclip.labels.banks.memory import Memory
from weclip.labels.regions.of_batch import region_maps
from weclip.labels.regions.regions import RegionSource
from weclip.labels.spreading import Refined
from weclip.labels.tag_slots import TagSlots
from weclip.labels.view import Provider, Seen, View
from weclip.parts import not_provided
from weclip.system.errors import InputError

Result = TypeVar("Result")


class MapSource(Protocol):
    """Where maps come from."""

    reads: ClassVar[Any]
    """Names of `view.READABLE`.

    Beside it a source may set `shares`: its maps are the shares that tags have of each place, the
    rest is background's, and nothing is scaled afterwards. And `on_guide_grid`: they, and its
    embedding, lie on the patches of the second encoder. One with an embedding is an `Embedder`.
    """

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
        regions: What cuts images into regions; None: nothing does.

    Attributes:
        embedder: As in `View`.
        graphs: What training steps replay instead of launching it anew; None: nothing.
        memory: What lends its texts to alike regions; None: nothing does.
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
        regions: RegionSource | None = None,
    ) -> None:
        super().__init__()
        self.image_encoder = image_encoder
        self.source = source
        self.affinity = affinity
        self.guide = guide
        self.regions = regions
        self.embedder: Embedder | None = None
        self.memory: Memory | None = None
        self.scale = text.scale
        self.graphs: Graphs | None = None
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

    @property
    def shares(self) -> bool:
        """Whether maps are shares of a place (`MapSource`)."""
        return bool(getattr(self.source, "shares", False))

    def normalise(self, image: Tensor) -> Tensor:
        """RGB (B, 3, H, W) in 0..255, any type, to what the encoder expects."""
        return (image.to(self.mean.dtype) - self.mean) / self.std

    def see(
        self,
        image: Tensor,
        *,
        refined: bool = False,
        all_maps: bool = False,
        skipped: int = 0,
        replayed: bool = False,
        regions: Tensor | None = None,
    ) -> View:
        """What the encoder sees of RGB images (B, 3, H, W) in 0..255; nothing is computed yet.

        Args:
            image: The images.
            refined: Whether a decoder's affinity will refine the attention.
            all_maps: Whether the attention of all blocks will be read.
            skipped: As `View.skipped`.
            replayed: Whether `graphs` may be used; then the view is valid until the next such one.
            regions: (B, H, W) int64, where they are given; None: they are made when a part asks.
        """
        layers = getattr(self.affinity, "attention_layers", None)
        wanted = layers(refined=refined) if layers else 1
        formed = self.image_encoder.depth - 1 if all_maps else wanted - 1
        view = self._view(image, self.normalise(image), formed, skipped)
        if regions is not None:
            view.regions = regions
        if not replayed or self.graphs is None:
            return view
        view.encode = partial(self.graphs, "CLIP", self.image_encoder)
        view.providers = {n: partial(self.graphs, n, each) for n, each in view.providers.items()}
        return view

    def _view(self, image: Tensor, normalised: Tensor, formed: int, skipped: int) -> View:
        return View(
            encoder=self.image_encoder,
            rgb=image,
            normalised=normalised,
            texts=TextFeatures(self.class_text, self.background_text, self.scale),
            formed=formed,
            providers=self._providers(),
            skipped=skipped,
            embedder=self.embedder,
            memory=self.memory,
        )

    def _providers(self) -> dict[str, Provider]:
        provided: dict[str, Provider] = {}
        if self.guide is not None:
            provided["guide"] = self.guide
        if self.regions is not None:
            provided["regions"] = partial(region_maps, self.regions, guide=self.guide)
        return provided

    def run(self, function: Callable[..., Result], view: View, *given: Any) -> Result:
        """`function(view, *given)`, once a training step, from a graph where these are in use.

        Args:
            function: Makes labels, without gradients, of these and of frozen weights alone.
            view: What the encoders see, `replayed`.
            given: As in `Graphs.__call__`; the result is valid as long as it says.
        """
        if self.graphs is None:
            return function(view, *given)

        def of_seen(seen: Seen, *given: Any) -> Result:
            again = self._view(seen.rgb, seen.normalised, seen.formed, seen.skipped)
            again.features = seen.features
            return function(again, *given)

        return self.graphs("labels", of_seen, view.seen(), *given)

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
