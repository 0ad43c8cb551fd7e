"""WeCLIP+: a decoder on two frozen encoders, CLIP and DINOv2.

Stage 4. Zhang et al., "Frozen CLIP-DINO: A Strong Backbone for Weakly Supervised Semantic
Segmentation", IEEE TPAMI 2025. Constants are those of its released code.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from weclip.data.batch import Batch, Share
from weclip.labels.pseudo_label import PseudoLabel
from weclip.labels.regions.of_batch import given_regions
from weclip.labels.regions.regions import Regions
from weclip.labels.spreading import Refined, require_linear
from weclip.labels.tag_maps import TagMaps
from weclip.labels.tag_slots import TagSlots, pack_tags, tag_slots
from weclip.labels.view import View
from weclip.methods.decoder import Decoded, TwoBranchDecoder
from weclip.methods.labelling import (
    Labelled,
    LabelMaps,
    LabelSettings,
    class_probability,
    corrected_label,
    label_maps_of,
    par_guide,
    pseudo_label_of,
    require_scaled,
    training_label,
    with_confident,
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
from weclip.system.errors import InputError


@method("weclip_plus")
@dataclass(frozen=True, kw_only=True)
class WeClipPlusSettings:
    """A decoder on frozen CLIP and DINOv2; predictions weigh the maps and mend the labels."""

    needs: ClassVar = ("clip", "dino")
    replays: ClassVar = True
    reads_corrected: ClassVar = True
    provides: ClassVar = ("branches",)
    published: ClassVar = {
        "decoder_fts_fuse.": "clip_head.",
        "dino_decoder_fts_fuse.": "guide_head.",
        "decoder.": "segmenter.",
    }

    width: int = setting(256, source="WeCLIP+, released code; of the decoder", least=1, most=8192)
    blocks: int = setting(
        3, source="WeCLIP+, released code; of the decoder; ViT-L 5", least=1, most=128
    )
    heads: int = setting(8, source="WeCLIP+, released code; divide the width", least=1, most=8192)
    dropout: float = setting(0.1, source="WeCLIP+, released code; of channels", least=0, most=1)
    refine_from: int = setting(
        0,
        source="WeCLIP+, released code; first step with the refinement module; -1: never",
        least=-1,
        most=10**9,
    )
    confident_from: int | str = setting(
        18_001,
        source="WeCLIP+, released code; first step whose confident predictions replace labels; "
        "COCO 40001; -1: never; auto: after 3/5 of the steps",
        least=-1,
        most=10**9,
    )
    confident_above: float = setting(
        0.75, source="WeCLIP+, released code; the least probability of those", least=0, most=1
    )
    confident_untagged: bool = quirk("released code of WeCLIP+; replaced by classes of no tag too")
    cam_skips_block: bool = quirk("released code of WeCLIP+ on VOC; block L reads block L-2")
    par_on_normalised_image: bool = quirk("released code; colours that guide PAR")
    train_on_padding: bool = quirk("released code; padding of crops is background")

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise ValueError(
                f"method.weclip_plus.width={self.width} must be a multiple of "
                f"method.weclip_plus.heads={self.heads}"
            )

    def refines(self, step: int) -> bool:
        """Whether the refinement module is on at a training step."""
        return 0 <= self.refine_from <= step

    def is_confident(self, step: int) -> bool:
        """Whether predictions replace labels at a training step."""
        if isinstance(self.confident_from, str):
            raise InputError(
                "method.weclip_plus.confident_from=auto is for trainings, which choose a number"
            )
        return 0 <= self.confident_from <= step

    def __call__(self, given: Ingredients) -> "WeClipPlus":
        """The method with a new decoder that fits the encoders and the classes."""
        require_blocks(given.maps.image_encoder, 2 + self.cam_skips_block)
        if self.refine_from >= 0:
            require_scaled(given.labels)
        decoder = TwoBranchDecoder(
            clip_width=given.maps.image_encoder.width,
            guide_width=given.maps.second_encoder.width,
            num_classes=given.num_classes,
            width=self.width,
            blocks=self.blocks,
            heads=self.heads,
            dropout=self.dropout,
        )
        return WeClipPlus(
            maps=given.maps,
            decoder=decoder,
            settings=self,
            labels=given.labels,
            losses=given.losses,
        )


@dataclass(frozen=True)
class WeClipPlusStep:
    """What a step of WeCLIP+ computed beside the common fields.

    Attributes:
        slots: Tags of the batch.
        decoded: Logits of the branches, and the affinity of both maps.
        weighted: (B, K, h, w), maps times the predicted probability of their class.
        refined: The weighted maps after the affinity.
        pseudo_label: Labels before any replacement.
    """

    slots: TagSlots
    decoded: Decoded
    weighted: Tensor
    refined: Refined
    pseudo_label: PseudoLabel


class WeClipPlus(nn.Module):
    """WeCLIP+ on a frozen CLIP and a frozen DINOv2.

    Args:
        maps: Maps of tags from the frozen CLIP, what spreads them, and the second encoder.
        decoder: The trained part.
        settings: Constants of the method.
        labels: Constants of the pseudo-labels.
        losses: Terms of the loss by name.
    """

    needs: Sequence[str] = WeClipPlusSettings.needs

    def __init__(
        self,
        *,
        maps: TagMaps,
        decoder: nn.Module,
        settings: WeClipPlusSettings,
        labels: LabelSettings,
        losses: Mapping[str, Loss],
    ) -> None:
        super().__init__()
        self.maps = maps
        self.trained = decoder
        self.settings = settings
        self.labels = labels
        self.losses = losses
        self.knows_affinity = False

    @property
    def device(self) -> torch.device:
        """Where the method is."""
        return self.maps.mean.device

    def parameter_groups(self) -> list[ParameterGroup]:
        """The decoder's parameters."""
        return [ParameterGroup(self.trained.parameters())]

    def forward(self, image: Tensor) -> Tensor:
        """Logits (B, C, h, w) at CLIP's patch resolution of RGB images (B, 3, H, W) in 0..255."""
        features = self.maps.image_encoder(self.maps.normalise(image), maps=0)
        guide = self.maps.second_encoder(image)
        decoded: Decoded = self.trained(features.tokens[-1], features.patch_grid, guide)
        return decoded.logits.float()

    def training_step(self, batch: Batch, step: int, total: Total = total_of_one) -> StepOutput:
        """From a batch of images and tags to the loss; as `Method.training_step`."""
        # 1. Frozen CLIP (B, 1+N, D) of block L-1, frozen DINOv2 (B, N', D')
        view = self.see(batch.image, step, replayed=True, regions=batch.regions)
        # 2. Two heads, one classifier: logits (B, C, h, w), affinity (B, N, N) of both maps
        decoded = self.decode(view, batch.share)
        # 3. Map of each tag, times its predicted probability, spread by the decoder's choice
        # 4. Pixels: PAR and argmax
        slots = pack_tags(batch.tags, padded=self.maps.graphs is not None).to(self.device)  # (B, K)
        learnt = decoded if self.settings.refines(step) else None
        made = self.maps.run(self.label, view, slots, learnt)  # (B, K, h, w) to (B, H, W)
        label_map = made.pseudo_label.label_map
        labels = training_label(label_map, batch, self.settings.train_on_padding)
        # 5. Later in the training confident predictions replace labels, but no corrected mask
        replaced = self.replaced(labels, decoded.logits, slots, step)
        target = corrected_label(replaced, batch)  # (B, H, W)
        # 6. Losses
        given = LossInputs(
            decoded.logits.float(),
            decoded.feature_affinity,
            target,
            batch.tags,
            view,
            pseudo_label=labels,
            branches=decoded.branches,
            corrected=batch.corrected,
        )
        loss, terms = sum_of_terms(self.losses, given, total)
        detail = WeClipPlusStep(slots, decoded, made.weighted, made.refined, made.pseudo_label)
        return StepOutput(loss, terms, batch.tags, decoded.logits, made.cam, target, detail)

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
        """As `Labeller.label_maps`; labels before any replacement."""
        view = self.see(image, step, regions=given_regions(regions, image))
        slots = tag_slots(tags, len(self.maps.class_text)).to(self.device)
        learnt = self.decode(view) if self.settings.refines(step) else None
        cam, _, refined = self.refine(view, slots, learnt)  # (1, K, h, w)
        guide = par_guide(view, normalised=self.settings.par_on_normalised_image)[0]
        return label_maps_of(cam, refined.cam, slots, size, labels=self.labels, guide=guide)

    def feature_affinity(self, view: View) -> Tensor:
        """(B, N, N) of the decoder."""
        guide = self.maps.second_encoder(view.rgb)
        decoded: Decoded = self.trained(view.tokens[-1], view.patch_grid, guide)
        return decoded.feature_affinity

    def see(self, image: Tensor, step: int, **how: Any) -> View:
        """What both encoders see of RGB (B, 3, H, W) in 0..255; `how`: more of `TagMaps.see`."""
        refined, skipped = self.settings.refines(step), int(self.settings.cam_skips_block)
        return self.maps.see(image, refined=refined, skipped=skipped, **how)

    def decode(self, view: View, share: Share | None = None) -> Decoded:
        """The decoder's output."""
        decoded: Decoded = self.trained(view.tokens[-1], view.patch_grid, view.guide, share)
        return decoded

    def label(self, view: View, slots: TagSlots, learnt: Decoded | None) -> Labelled:
        """Stages 3 and 4 of a training step."""
        cam, weighted, refined = self.refine(view, slots, learnt)  # (B, K, h, w)
        guide = par_guide(view, normalised=self.settings.par_on_normalised_image)
        label = self.make_label(refined.cam, slots, guide)  # (B, H, W)
        return Labelled(cam, weighted, refined, label)

    def refine(
        self, view: View, slots: TagSlots, learnt: Decoded | None
    ) -> tuple[Tensor, Tensor, Refined]:
        """Maps of the tags (B, K, h, w) as they are, weighted, and weighted and spread.

        The affinity, with its boxes, is that of the maps before they are weighted. Before the
        refinement module is on, `learnt` is None, and they are not weighted.
        """
        cam = self.maps.make(view, slots)
        if learnt is None:
            return cam, cam, self.maps.spread(cam, view, None)
        weighted = cam * class_probability(learnt.logits, slots, cam.shape[2:])
        refined = self.maps.spread(cam, view, learnt.feature_affinity)
        if slots.image.numel() and not self.knows_affinity:  # once, since a GPU has to wait
            require_linear(refined, cam)
            self.knows_affinity = True
        return cam, weighted, refined.of(weighted)

    def make_label(self, cam: Tensor, slots: TagSlots, guide: Tensor) -> PseudoLabel:
        """Labels of the size of `guide` (B, 3, H, W) from refined maps (B, K, h, w)."""
        return pseudo_label_of(cam, slots, guide, self.labels)

    def replaced(self, labels: Tensor, logits: Tensor, slots: TagSlots, step: int) -> Tensor:
        """Labels (B, H, W) with confident predictions in their place, once these count."""
        use = self.settings
        if not use.is_confident(step):
            return labels
        above, untagged = use.confident_above, use.confident_untagged
        return with_confident(labels, logits, slots, above=above, untagged=untagged)
