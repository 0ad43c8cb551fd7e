"""WeCLIP: a decoder on frozen CLIP learns from labels that CLIP's own CAMs give.

Stage 4. Zhang et al., "Frozen CLIP: A Strong Backbone for Weakly Supervised Semantic
Segmentation", CVPR 2024. `training_step` is the paper's Figure 2.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from weclip.backbones.clip.image_encoder import ClipImageEncoder, ImageFeatures
from weclip.data.batch import IGNORE_INDEX, Batch
from weclip.labels.maps.gradcam import TagSlots, pack_tags
from weclip.labels.pixel_refine import ParSettings
from weclip.labels.pseudo_label import PseudoLabel, make_pseudo_label
from weclip.labels.tag_maps import Refined, Seen, TagMaps
from weclip.methods.decoder import Decoded
from weclip.methods.losses import (
    affinity_labels,
    affinity_loss,
    count_pairs,
    count_pixels,
    segmentation_loss,
)


@dataclass(frozen=True, kw_only=True)
class LabelSettings:
    """Constants of the pseudo-labels; sources in `weclip.config`."""

    background_power: float
    refine_from: int
    par: ParSettings
    par_on_normalised_image: bool
    train_on_padding: bool

    def refines(self, step: int) -> bool:
        """Whether the refinement module is on at a training step."""
        return 0 <= self.refine_from <= step


@dataclass(frozen=True, kw_only=True)
class LossSettings:
    """Constants of the losses; sources in `weclip.config`."""

    background_weight: float
    affinity_weight: float
    affinity_radius: int


@dataclass(frozen=True)
class StepOutput:
    """Everything that one training step computed.

    Attributes:
        loss: Scalar with graph.
        terms: The losses by name, detached scalars.
        slots: Tags of the batch.
        decoded: Decoder output.
        cam: (B, K, h, w) in [0, 1], CAMs before refinement.
        refined: CAMs after refinement.
        pseudo_label: Labels that the decoder learnt from.
        target: (B, H, W), the label map with padding ignored.
    """

    loss: Tensor
    terms: dict[str, Tensor]
    slots: TagSlots
    decoded: Decoded
    cam: Tensor
    refined: Refined
    pseudo_label: PseudoLabel
    target: Tensor


class WeClip(nn.Module):
    """WeCLIP on a frozen CLIP.

    Args:
        maps: Maps of tags from the frozen CLIP, and what spreads them.
        decoder: The trained part.
        labels: Constants of the pseudo-labels.
        losses: Constants of the losses.
    """

    def __init__(
        self, *, maps: TagMaps, decoder: nn.Module, labels: LabelSettings, losses: LossSettings
    ) -> None:
        super().__init__()
        self.maps = maps
        self.decoder = decoder
        self.labels = labels
        self.losses = losses

    @property
    def image_encoder(self) -> ClipImageEncoder:
        """The frozen CLIP."""
        return self.maps.image_encoder

    @property
    def device(self) -> torch.device:
        """Where the method is."""
        return self.maps.mean.device

    def forward(self, image: Tensor) -> Tensor:
        """Logits (B, C, h, w) at patch resolution of RGB images (B, 3, H, W) in 0..255."""
        features = self.image_encoder(self.normalise(image), maps=0)
        decoded: Decoded = self.decoder(features.tokens, features.patch_grid)
        return decoded.logits

    def training_step(
        self, batch: Batch, step: int, total: Callable[[Tensor], Tensor] = lambda count: count
    ) -> StepOutput:
        """From a batch of images and tags to the loss.

        Args:
            batch: B crops with tags.
            step: Training step, counted from 0; decides whether the refinement module is on.
            total: Sums a tensor over the processes that share the step's batch. The losses are
                means over all of it; those of the processes add up to them.
        """
        # 1. Frozen CLIP: tokens of blocks 1..L-1, attention of the last of them
        image = self.normalise(batch.image)  # (B, 3, H, W)
        features = self.image_encoder(image, self.attention_maps(step))  # L-1 x (B, 1+N, D)
        # 2. Decoder: logits (B, C, h, w) and its own affinity (B, N, N)
        decoded = self.decoder(features.tokens, features.patch_grid, batch.share)
        # 3. CAM of each tag, refined by attention, or by attention and the decoder's affinity
        slots = pack_tags(batch.tags).to(image.device)  # (B, K)
        cam, seen = self.make_cam(features, slots)  # (B, K, h, w)
        refined = self.refine(cam, seen, decoded.feature_affinity, step)  # (B, K, h, w)
        # 4. Pixels: PAR and argmax
        guide = image if self.labels.par_on_normalised_image else batch.image.float()
        pseudo_label = self.make_label(refined.cam, slots, guide)  # (B, H, W)
        target = self.ignore_padding(pseudo_label.label_map, batch.content_box)  # (B, H, W)
        # 5. Losses
        pairs = affinity_labels(target, features.patch_grid, self.losses.affinity_radius)
        counts = total(torch.cat([count_pixels(target), count_pairs(pairs)]))  # (4,)
        background_weight = self.losses.background_weight
        segmentation = segmentation_loss(decoded.logits, target, background_weight, counts[:2])
        affinity = affinity_loss(decoded.feature_affinity, pairs, counts[2:])
        loss = segmentation + self.losses.affinity_weight * affinity
        terms = {"segmentation": segmentation, "affinity": affinity, "loss": loss}
        terms = {name: term.detach() for name, term in terms.items()}
        return StepOutput(loss, terms, slots, decoded, cam, refined, pseudo_label, target)

    def normalise(self, image: Tensor) -> Tensor:
        """RGB (B, 3, H, W) in 0..255, any type, to what the encoder expects."""
        return self.maps.normalise(image)

    def attention_maps(self, step: int) -> int:
        """How many attention maps before block L's are read at a training step."""
        return self.maps.attention_maps(refined=self.labels.refines(step))

    def make_cam(self, features: ImageFeatures, slots: TagSlots) -> tuple[Tensor, Seen]:
        """CAMs (B, K, h, w) of the tags, and what they were made of."""
        seen = self.maps.see(features)
        return self.maps.make(seen, slots), seen

    def refine(self, cam: Tensor, seen: Seen, feature_affinity: Tensor, step: int) -> Refined:
        """Spread CAMs (B, K, h, w) by attention, and by the decoder from `refine_from` on."""
        return self.maps.spread(cam, seen, feature_affinity if self.labels.refines(step) else None)

    def make_label(
        self, cam: Tensor, slots: TagSlots, guide: Tensor, size: tuple[int, int] | None = None
    ) -> PseudoLabel:
        """Labels of the size of `guide` (B, 3, H, W), or of `size`, from refined CAMs."""
        return make_pseudo_label(
            cam,
            slots,
            guide,
            size=size or (guide.shape[-2], guide.shape[-1]),
            eps=self.maps.settings.min_max_eps,
            background_power=self.labels.background_power,
            par=self.labels.par,
        )

    def ignore_padding(self, label_map: Tensor, content_box: Tensor) -> Tensor:
        """Set labels (B, H, W) outside the content boxes (B, 4) to `IGNORE_INDEX`."""
        if self.labels.train_on_padding:
            return label_map
        y = torch.arange(label_map.shape[1], device=label_map.device)[:, None]
        x = torch.arange(label_map.shape[2], device=label_map.device)
        y0, x0, y1, x1 = content_box.T[..., None, None]
        inside = (y >= y0) & (y < y1) & (x >= x0) & (x < x1)
        return label_map.masked_fill(~inside, IGNORE_INDEX)
