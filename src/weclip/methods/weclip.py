"""WeCLIP: a decoder on frozen CLIP learns from labels that CLIP's own CAMs give.

Stage 4. Zhang et al., "Frozen CLIP: A Strong Backbone for Weakly Supervised Semantic
Segmentation", CVPR 2024. `training_step` is the paper's Figure 2.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from weclip.backbones.clip_image import ClipImageEncoder, ImageFeatures
from weclip.data.batch import IGNORE_INDEX, Batch
from weclip.labels.affinity import (
    box_mask,
    patch_attention,
    propagate,
    refined_affinity,
    sinkhorn_transition,
)
from weclip.labels.cam import Cam, TagSlots, pack_tags, softmax_gradcam
from weclip.labels.pixel_refine import ParSettings
from weclip.labels.pseudo_label import PseudoLabel, make_pseudo_label
from weclip.methods.decoder import Decoded
from weclip.methods.losses import (
    affinity_labels,
    affinity_loss,
    count_pairs,
    count_pixels,
    segmentation_loss,
)


@dataclass(frozen=True)
class TextFeatures:
    """Frozen text features of a class list.

    Attributes:
        classes: (C-1, J) unit rows.
        background: (G, J) unit rows.
        scale: CLIP's temperature, the exponential of its `logit_scale`.
    """

    classes: Tensor
    background: Tensor
    scale: float


@dataclass(frozen=True, kw_only=True)
class LabelSettings:
    """Constants of the pseudo-labels; sources in `weclip.config`."""

    min_max_eps: float
    background_power: float
    initial_layers: int
    refined_layers: int
    refine_from: int
    sinkhorn_rounds: int
    box_threshold: float
    par: ParSettings
    signed_layer_distance: bool
    exclusive_box_edge: bool
    par_on_normalised_image: bool
    train_on_padding: bool

    def refines(self, step: int) -> bool:
        """Whether the refinement module is on at a training step."""
        return 0 <= self.refine_from <= step

    def attention_maps(self, step: int) -> int:
        """How many attention maps before the last block's are read at a training step."""
        return (self.refined_layers if self.refines(step) else self.initial_layers) - 1


@dataclass(frozen=True, kw_only=True)
class LossSettings:
    """Constants of the losses; sources in `weclip.config`."""

    background_weight: float
    affinity_weight: float
    affinity_radius: int


@dataclass(frozen=True)
class Refined:
    """CAMs after the affinity.

    Attributes:
        affinity: (B, N, N) before, and `transition` after Sinkhorn, symmetrising, squaring.
        transition: (B, N, N).
        cam: (B, K, h, w).
    """

    affinity: Tensor
    transition: Tensor
    cam: Tensor


@dataclass(frozen=True)
class StepOutput:
    """Everything that one training step computed.

    Attributes:
        loss: Scalar with graph.
        terms: The losses by name, detached scalars.
        slots: Tags of the batch.
        decoded: Decoder output.
        cam: CAMs before refinement.
        refined: CAMs after refinement.
        pseudo_label: Labels that the decoder learnt from.
        target: (B, H, W), the label map with padding ignored.
    """

    loss: Tensor
    terms: dict[str, Tensor]
    slots: TagSlots
    decoded: Decoded
    cam: Cam
    refined: Refined
    pseudo_label: PseudoLabel
    target: Tensor


class WeClip(nn.Module):
    """WeCLIP on a frozen CLIP.

    Args:
        image_encoder: Frozen CLIP image encoder.
        text: Text features of the classes.
        decoder: The trained part.
        labels: Constants of the pseudo-labels.
        losses: Constants of the losses.
        mean: RGB mean of the input normalisation, in 0..1.
        std: RGB standard deviation of it.
    """

    def __init__(
        self,
        *,
        image_encoder: ClipImageEncoder,
        text: TextFeatures,
        decoder: nn.Module,
        labels: LabelSettings,
        losses: LossSettings,
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
    ) -> None:
        super().__init__()
        self.image_encoder = image_encoder
        self.decoder = decoder
        self.labels = labels
        self.losses = losses
        self.scale = text.scale
        self.register_buffer("class_text", text.classes, persistent=False)
        self.register_buffer("background_text", text.background, persistent=False)
        self.register_buffer("mean", 255 * torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", 255 * torch.tensor(std).view(3, 1, 1), persistent=False)

    class_text: Tensor
    background_text: Tensor
    mean: Tensor
    std: Tensor

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
        features = self.image_encoder(image, self.labels.attention_maps(step))  # L-1 x (B, 1+N, D)
        # 2. Decoder: logits (B, C, h, w) and its own affinity (B, N, N)
        decoded = self.decoder(features.tokens, features.patch_grid, batch.share)
        # 3. CAM of each tag, refined by attention, or by attention and the decoder's affinity
        slots = pack_tags(batch.tags).to(image.device)  # (B, K)
        cam, attention = self.make_cam(features, slots)  # (B, K, h, w), maps x (B, 1+N, 1+N)
        refined = self.refine(cam.cam, attention, decoded.feature_affinity, step)  # (B, K, h, w)
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
        return (image.to(self.mean.dtype) - self.mean) / self.std

    def make_cam(self, features: ImageFeatures, slots: TagSlots) -> tuple[Cam, list[Tensor]]:
        """CAMs of the tags, and the attention of the last blocks, block L's included."""
        last = self.image_encoder.run_last_block(features.tokens[-1].float())
        cam = softmax_gradcam(
            last,
            slots,
            class_text=self.class_text,
            background_text=self.background_text,
            scale=self.scale,
            patch_grid=features.patch_grid,
            eps=self.labels.min_max_eps,
        )
        return cam, [*features.attention, last.attention]

    @torch.no_grad()
    def refine(
        self, cam: Tensor, attention: list[Tensor], feature_affinity: Tensor, step: int
    ) -> Refined:
        """Spread CAMs (B, K, h, w) by attention, and by the decoder from `refine_from` on."""
        with torch.autocast(self.mean.device.type, enabled=False):
            if self.labels.refines(step):
                maps = patch_attention(attention, self.labels.refined_layers)
                affinity = refined_affinity(
                    maps, feature_affinity, signed=self.labels.signed_layer_distance
                )
            else:
                affinity = patch_attention(attention, self.labels.initial_layers).mean(dim=0)
            transition = sinkhorn_transition(affinity, self.labels.sinkhorn_rounds)
            mask = box_mask(
                cam, self.labels.box_threshold, exclusive_edge=self.labels.exclusive_box_edge
            )
            return Refined(affinity, transition, propagate(cam, transition, mask))

    def make_label(
        self, cam: Tensor, slots: TagSlots, guide: Tensor, size: tuple[int, int] | None = None
    ) -> PseudoLabel:
        """Labels of the size of `guide` (B, 3, H, W), or of `size`, from refined CAMs."""
        return make_pseudo_label(
            cam,
            slots,
            guide,
            size=size or (guide.shape[-2], guide.shape[-1]),
            eps=self.labels.min_max_eps,
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
