"""From what a frozen CLIP saw in images to a map for each of their tags.

Stage 3. Where maps come from and what spreads them are parts, chosen by name: `MAP_SOURCES` and
`AFFINITY_SOURCES`. WeCLIP and the methods without training share them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from weclip.backbones.clip.dense_embedding import self_self_embedding
from weclip.backbones.clip.image_encoder import ClipImageEncoder, ImageFeatures
from weclip.backbones.clip.last_block import LastBlock
from weclip.backbones.clip.text_features import TextFeatures, text_probabilities
from weclip.labels.affinity.attention import (
    box_mask,
    patch_attention,
    propagate,
    refined_affinity,
    sinkhorn_transition,
)
from weclip.labels.affinity.class_distribution import (
    class_distribution_affinity,
    jensen_shannon_similarity,
)
from weclip.labels.maps.gradcam import TagSlots, softmax_gradcam
from weclip.labels.maps.patch_text import patch_text_cam


@dataclass(frozen=True, kw_only=True)
class MapSettings:
    """Constants of maps and their affinity; sources in `weclip.config`.

    Attributes:
        source: A key of `MAP_SOURCES`.
        affinity: A key of `AFFINITY_SOURCES`.
        min_max_eps: Added to the maximum in the min-max scaling.
        self_self_blocks: How many of the last blocks attend to alike tokens in patch embeddings.
        initial_layers: How many of the last attention maps are averaged.
        refined_layers: How many of them a decoder's affinity chooses from.
        signed_layer_distance: As in `refined_affinity`.
        sinkhorn_rounds: Normalisations of columns and rows.
        power: How often the map is spread.
        box_threshold: Share of a map's maximum above which a patch is strong.
        exclusive_box_edge: Leave the last row and column outside every box, as released.
        temperature: Of the similarity of class distributions.
    """

    source: str
    affinity: str
    min_max_eps: float
    self_self_blocks: int
    initial_layers: int
    refined_layers: int
    signed_layer_distance: bool
    sinkhorn_rounds: int
    power: int
    box_threshold: float
    exclusive_box_edge: bool
    temperature: float


@dataclass(frozen=True)
class Seen:
    """What the frozen CLIP computed of B images, as maps and affinities read it.

    Attributes:
        last: Block L; None where maps have been made in another way.
        attention: Maps (B, 1+N, 1+N) of the last blocks, block L's included.
        embedding: (B, 1+N, J) unit rows of patches, where a part reads them.
        patch_grid: (h, w), with h * w = N.
    """

    last: LastBlock | None
    attention: list[Tensor]
    embedding: Tensor | None
    patch_grid: tuple[int, int]


@dataclass(frozen=True)
class Refined:
    """Maps after the affinity.

    Attributes:
        affinity: (B, N, N), what the transition was made of.
        transition: (B, N, N), what spread the maps.
        cam: (B, K, h, w).
    """

    affinity: Tensor
    transition: Tensor
    cam: Tensor


class TagMaps(nn.Module):
    """Maps of tags from a frozen CLIP.

    Args:
        image_encoder: Frozen CLIP image encoder.
        text: Text features of the classes and background words.
        settings: Constants.
        mean: RGB mean of the input normalisation, in 0..1.
        std: RGB standard deviation of it.
    """

    def __init__(
        self,
        *,
        image_encoder: ClipImageEncoder,
        text: TextFeatures,
        settings: MapSettings,
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
    ) -> None:
        super().__init__()
        self.image_encoder = image_encoder
        self.settings = settings
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
    def texts(self) -> Tensor:
        """(M, J) unit rows, classes first, then background words."""
        return torch.cat([self.class_text, self.background_text])

    def normalise(self, image: Tensor) -> Tensor:
        """RGB (B, 3, H, W) in 0..255, any type, to what the encoder expects."""
        return (image.to(self.mean.dtype) - self.mean) / self.std

    def probabilities(self, embedding: Tensor) -> Tensor:
        """Softmax (..., M) over all texts of unit rows (..., J), as `text_probabilities`."""
        return text_probabilities(embedding, self.texts, self.scale)

    def see(self, features: ImageFeatures) -> Seen:
        """Run block L, and embed patches where maps or affinity ask for them."""
        last = self.image_encoder.run_last_block(features.tokens[-1].float())
        use, embedding = self.settings, None
        if use.source == "patch-text" or use.affinity == "class-distribution":
            embedding = self_self_embedding(
                self.image_encoder, features.tokens, use.self_self_blocks
            )
        attention = [*features.attention, last.attention]
        return Seen(last, attention, embedding, features.patch_grid)

    def make(self, seen: Seen, slots: TagSlots) -> Tensor:
        """Maps (B, K, h, w) in [0, 1] of the tags; 0 in empty slots."""
        return MAP_SOURCES[self.settings.source](self, seen, slots)

    def attention_maps(self, *, refined: bool) -> int:
        """How many attention maps before block L's are read, where a decoder refines or not."""
        use = self.settings
        return (use.refined_layers if refined else use.initial_layers) - 1

    @torch.no_grad()
    def spread(self, cam: Tensor, seen: Seen, feature_affinity: Tensor | None) -> Refined:
        """Spread maps (B, K, h, w) by attention.

        Args:
            cam: The maps.
            seen: What they were made of.
            feature_affinity: (B, N, N) of a decoder that refines the attention; None without.
        """
        with torch.autocast(self.mean.device.type, enabled=False):
            affinity = self._attention(seen, feature_affinity)
            return AFFINITY_SOURCES[self.settings.affinity](self, cam, affinity, seen)

    def _attention(self, seen: Seen, feature_affinity: Tensor | None) -> Tensor:
        """(B, N, N): the mean of the last attention maps, or what a decoder makes of them."""
        use = self.settings
        if feature_affinity is None:
            return patch_attention(seen.attention, use.initial_layers).mean(dim=0)
        maps = patch_attention(seen.attention, use.refined_layers)
        return refined_affinity(maps, feature_affinity, signed=use.signed_layer_distance)


def _gradcam(maps: TagMaps, seen: Seen, slots: TagSlots) -> Tensor:
    assert seen.last is not None
    return softmax_gradcam(
        seen.last,
        slots,
        class_text=maps.class_text,
        background_text=maps.background_text,
        scale=maps.scale,
        patch_grid=seen.patch_grid,
        eps=maps.settings.min_max_eps,
    ).cam


def _patch_text(maps: TagMaps, seen: Seen, slots: TagSlots) -> Tensor:
    assert seen.embedding is not None
    with torch.autocast(maps.mean.device.type, enabled=False):
        return patch_text_cam(
            seen.embedding,
            slots,
            texts=maps.texts,
            patch_grid=seen.patch_grid,
            eps=maps.settings.min_max_eps,
        )


def _by_attention(maps: TagMaps, cam: Tensor, affinity: Tensor, seen: Seen) -> Refined:
    use = maps.settings
    transition = sinkhorn_transition(affinity, use.sinkhorn_rounds, use.power)
    mask = box_mask(cam, use.box_threshold, exclusive_edge=use.exclusive_box_edge)
    return Refined(affinity, transition, propagate(cam, transition, mask))


def _by_class_distribution(maps: TagMaps, cam: Tensor, affinity: Tensor, seen: Seen) -> Refined:
    assert seen.embedding is not None
    distribution = maps.probabilities(seen.embedding[:, 1:])  # (B, N, M)
    similarity = jensen_shannon_similarity(distribution)
    affinity = class_distribution_affinity(similarity, affinity, maps.settings.temperature)
    transition = torch.linalg.matrix_power(affinity, maps.settings.power)
    return Refined(affinity, transition, propagate(cam, transition))


def _by_nothing(maps: TagMaps, cam: Tensor, affinity: Tensor, seen: Seen) -> Refined:
    return Refined(affinity, torch.eye(affinity.shape[-1]).to(affinity).expand_as(affinity), cam)


MAP_SOURCES: dict[str, Callable[[TagMaps, Seen, TagSlots], Tensor]] = {
    "gradcam": _gradcam,
    "patch-text": _patch_text,
}
"""Where maps come from: makes (B, K, h, w) of what was seen."""

AFFINITY_SOURCES: dict[str, Callable[[TagMaps, Tensor, Tensor, Seen], Refined]] = {
    "attention": _by_attention,
    "class-distribution": _by_class_distribution,
    "none": _by_nothing,
}
"""What spreads maps (B, K, h, w), given an affinity (B, N, N) made of attention."""
