"""WeCLIP: a decoder on frozen CLIP learns from labels that CLIP's own CAMs give.

Stage 4. Zhang et al., "Frozen CLIP: A Strong Backbone for Weakly Supervised Semantic
Segmentation", CVPR 2024. `training_step` is the paper's Figure 2.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from weclip.backbones.clip.image_encoder import ClipImageEncoder
from weclip.data.batch import Batch
from weclip.labels.pseudo_label import PseudoLabel
from weclip.labels.regions.of_batch import given_regions
from weclip.labels.regions.regions import Regions
from weclip.labels.spreading import Refined
from weclip.labels.tag_maps import TagMaps
from weclip.labels.tag_slots import TagSlots, pack_tags, tag_slots
from weclip.labels.view import View
from weclip.methods.decoder import Decoded, Decoder
from weclip.methods.labelling import (
    Labelled,
    LabelMaps,
    LabelSettings,
    label_maps_of,
    par_guide,
    pseudo_label_of,
    training_label,
)
from weclip.methods.loss_inputs import Loss, LossInputs, Total
from weclip.methods.method import (
    Ingredients,
    ParameterGroup,
    StepOutput,
    require_blocks,
    sum_of_terms,
    total_of_one,
)
from weclip.parts import method, quirk, setting


@method("weclip")
@dataclass(frozen=True, kw_only=True)
class WeClipSettings:
    """A decoder on frozen CLIP learns from labels that CLIP's own maps give (WeCLIP)."""

    needs: ClassVar = ("clip",)
    replays: ClassVar = True
    reads_corrected: ClassVar = True
    published: ClassVar = {"decoder_fts_fuse.": "fusion.", "decoder.": "segmenter."}

    width: int = setting(
        256, source="WeCLIP section 3.2; channels of the decoder", least=1, most=8192
    )
    blocks: int = setting(3, source="WeCLIP section 3.2; of the decoder", least=1, most=128)
    heads: int = setting(8, source="WeCLIP, released code; divide the width", least=1, most=8192)
    dropout: float = setting(0.1, source="WeCLIP, released code; of channels", least=0, most=1)
    refine_from: int = setting(
        9145,
        source="released code; first step with the refinement module; COCO 40001; -1: never",
        least=-1,
        most=10**9,
    )
    par_on_normalised_image: bool = quirk("released code; colours that guide PAR")
    train_on_padding: bool = quirk("released code; padding of crops is background")

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise ValueError(
                f"method.weclip.width={self.width} must be a multiple of "
                f"method.weclip.heads={self.heads}"
            )

    def refines(self, step: int) -> bool:
        """Whether the refinement module is on at a training step."""
        return 0 <= self.refine_from <= step

    def __call__(self, given: Ingredients) -> "WeClip":
        """The method with a new decoder that fits the encoder and the classes."""
        encoder = given.maps.image_encoder
        require_blocks(encoder, 2)
        decoder = Decoder(
            clip_width=encoder.width,
            clip_blocks=encoder.depth - 1,
            num_classes=given.num_classes,
            width=self.width,
            blocks=self.blocks,
            heads=self.heads,
            dropout=self.dropout,
        )
        return WeClip(
            maps=given.maps,
            decoder=decoder,
            settings=self,
            labels=given.labels,
            losses=given.losses,
        )


@dataclass(frozen=True)
class WeClipStep:
    """What a step of WeCLIP computed beside the common fields.

    Attributes:
        slots: Tags of the batch.
        feature_affinity: (B, N, N) of the decoder.
        refined: Maps after the affinity.
        pseudo_label: Labels that the decoder learnt from.
    """

    slots: TagSlots
    feature_affinity: Tensor
    refined: Refined
    pseudo_label: PseudoLabel


class WeClip(nn.Module):
    """WeCLIP on a frozen CLIP.

    Args:
        maps: Maps of tags from the frozen CLIP, and what spreads them.
        decoder: The trained part.
        settings: Constants of the method.
        labels: Constants of the pseudo-labels.
        losses: Terms of the loss by name.
    """

    needs: Sequence[str] = WeClipSettings.needs

    def __init__(
        self,
        *,
        maps: TagMaps,
        decoder: nn.Module,
        settings: WeClipSettings,
        labels: LabelSettings,
        losses: Mapping[str, Loss],
    ) -> None:
        super().__init__()
        self.maps = maps
        self.trained = decoder
        self.settings = settings
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

    def parameter_groups(self) -> list[ParameterGroup]:
        """The decoder's parameters."""
        return [ParameterGroup(self.trained.parameters())]

    def forward(self, image: Tensor) -> Tensor:
        """Logits (B, C, h, w) at patch resolution of RGB images (B, 3, H, W) in 0..255."""
        features = self.image_encoder(self.maps.normalise(image), maps=0)
        decoded: Decoded = self.trained(features.tokens, features.patch_grid)
        return decoded.logits.float()

    def training_step(self, batch: Batch, step: int, total: Total = total_of_one) -> StepOutput:
        """From a batch of images and tags to the loss; as `Method.training_step`."""
        # 1. Frozen CLIP: tokens of blocks 1..L-1, attention of the last of them
        refines = self.settings.refines(step)
        view = self.maps.see(  # L-1 x (B, 1+N, D)
            batch.image, refined=refines, replayed=True, regions=batch.regions
        )
        # 2. Decoder: logits (B, C, h, w) and its own affinity (B, N, N)
        decoded = self.trained(view.tokens, view.patch_grid, batch.share)
        # 3. Map of each tag, spread by attention, or by attention and the decoder's affinity
        # 4. Pixels: PAR and argmax
        slots = pack_tags(batch.tags, padded=self.maps.graphs is not None).to(self.device)  # (B, K)
        learnt = decoded.feature_affinity if refines else None
        made = self.maps.run(self.label, view, slots, learnt)  # (B, K, h, w) to (B, H, W)
        label_map = made.pseudo_label.label_map
        target = training_label(label_map, batch, self.settings.train_on_padding)
        # 5. Losses
        logits, affinity = decoded.logits.float(), decoded.feature_affinity
        given = LossInputs(
            logits,
            affinity,
            target,
            batch.tags,
            view,
            pseudo_label=target,
            corrected=batch.corrected,
        )
        loss, terms = sum_of_terms(self.losses, given, total)
        detail = WeClipStep(slots, affinity, made.refined, made.pseudo_label)
        return StepOutput(loss, terms, batch.tags, decoded.logits, made.cam, target, detail)

    def label(self, view: View, slots: TagSlots, learnt: Tensor | None) -> Labelled:
        """Stages 3 and 4 of a training step; `learnt` is the decoder's affinity (B, N, N)."""
        cam = self.maps.make(view, slots)  # (B, K, h, w)
        refined = self.maps.spread(cam, view, learnt)  # (B, K, h, w)
        guide = par_guide(view, normalised=self.settings.par_on_normalised_image)
        return Labelled(cam, cam, refined, self.make_label(refined.cam, slots, guide))  # (B, H, W)

    @torch.no_grad()
    def label_maps(
        self,
        image: Tensor,
        tags: tuple[int, ...],
        *,
        size: tuple[int, int],
        step: int,
        regions: Regions | None = None,
    ) -> LabelMaps:
        """As `Labeller.label_maps`; the decoder takes part once the refinement module is on."""
        refines = self.settings.refines(step)
        view = self.maps.see(image, refined=refines, regions=given_regions(regions, image))
        slots = tag_slots(tags, len(self.maps.class_text)).to(self.device)
        cam = self.maps.make(view, slots)  # (1, K, h, w)
        learnt = self.feature_affinity(view) if refines else None
        refined = self.maps.spread(cam, view, learnt).cam
        guide = par_guide(view, normalised=self.settings.par_on_normalised_image)[0]
        return label_maps_of(cam, refined, slots, size, labels=self.labels, guide=guide)

    def feature_affinity(self, view: View) -> Tensor:
        """(B, N, N) of the decoder."""
        decoded: Decoded = self.trained(view.tokens, view.patch_grid)
        return decoded.feature_affinity

    def make_label(self, cam: Tensor, slots: TagSlots, guide: Tensor) -> PseudoLabel:
        """Labels of the size of `guide` (B, 3, H, W) from refined maps (B, K, h, w)."""
        return pseudo_label_of(cam, slots, guide, self.labels)
