"""AFA: a trained transformer whose attention is taught to be the affinity that spreads its CAMs.

Stage 4. Ru et al., "Learning Affinity from Attention: End-to-End Weakly-Supervised Semantic
Segmentation with Transformers", CVPR 2022. Constants are those of its released code.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, cast

import torch
from torch import Tensor, nn

from weclip.data.batch import Batch, Share
from weclip.labels.pseudo_label import label_map_of
from weclip.labels.spreading import propagate, window_transition
from weclip.labels.tag_slots import TagSlots, pack_tags, tag_slots
from weclip.labels.two_scores.guide import colours
from weclip.labels.two_scores.labels import (
    initial_label,
    label_in_boxes,
    propagated_scores,
    refined_whole,
)
from weclip.labels.two_scores.mirrored import resize
from weclip.labels.two_scores.scores import (
    Backgrounds,
    both_softmax,
    tag_softmax,
    thresholded_label,
)
from weclip.labels.view import View
from weclip.methods.heads.affinity_network import AffinityNetwork, Seen
from weclip.methods.heads.cam_runs import CamRuns, CamSettings, cam_runs
from weclip.methods.heads.released import whole_state
from weclip.methods.labelling import LABEL_KINDS, LabelMaps, LabelSettings, corrected_label
from weclip.methods.loss_inputs import Loss, LossInputs, Total
from weclip.methods.method import (
    Ingredients,
    ParameterGroup,
    StepOutput,
    sum_of_terms,
    total_of_one,
)
from weclip.parts import method, quirk, setting
from weclip.system.errors import InputError


@method("afa")
@dataclass(frozen=True, kw_only=True)
class AfaSettings:
    """A transformer learns from its own CAMs, spread by its own attention; no CLIP (AFA)."""

    needs: ClassVar = ()
    starts_from: ClassVar = "mit"
    reads_corrected: ClassVar = True
    provides: ClassVar = ("class_logits",)
    crop_multiple: ClassVar = 32
    """So that a crop at scale 1.5 is whole patches."""

    width: int = setting(256, source="released code; of the head", least=1, most=8192)
    dropout: float = setting(0.1, source="released code; of channels", least=0, most=1)
    drop_path: float = setting(0.1, source="released code; of the last block", least=0, most=1)
    head_rate: float = setting(10.0, source="released code; times the encoder's", least=0)
    cam_scales: tuple[float, ...] = setting(
        (1.0, 0.5, 1.5),
        source="released code; the affinity of the largest spreads labels",
        least=0.1,
        most=4,
        many=8,
    )
    cam_eps: float = setting(1e-5, source="released code; where maps are scaled", above=0)
    cam_threshold: float = setting(0.45, source="released code; of scored CAMs", least=0, most=1)
    low_background: float = setting(0.35, source="released code", least=0, most=1)
    high_background: float = setting(0.55, source="released code", least=0, most=1)
    radius: int = setting(8, source="released code; patches a map spreads to", least=0, most=512)
    power: float = setting(2.0, source="released code; sharpens the affinity", least=0)
    spread_eps: float = setting(0.1, source="released code; beside the sum of a patch", above=0)
    classification_only_until: int = setting(
        2000, source="released code; last step of tags alone; COCO 5000", least=-1, most=10**9
    )
    initial_labels_until: int = setting(
        6000, source="released code; last of labels not spread; COCO 15000", least=-1, most=10**9
    )
    pairs_from_target: bool = setting(
        False, source="released code; whether affinity learns from spread labels too; COCO true"
    )
    cam_runs_in_training_mode: bool = quirk("released code of AFA; depth of CAM runs is random")
    cam_runs_feed_batchnorm: bool = quirk("released code of AFA; running averages mix scales")
    truncated_guide: bool = quirk("released code of AFA; some colours of PAR are one less")
    par_sees_padding: bool = quirk("released code of AFA; of crops, where nothing spread labels")

    def __post_init__(self) -> None:
        if 1 not in self.cam_scales:
            raise ValueError(f"method.afa.cam_scales={list(self.cam_scales)} must hold 1")

    @property
    def cams(self) -> CamSettings:
        """How maps are made."""
        modes = (self.cam_runs_in_training_mode, self.cam_runs_feed_batchnorm)
        return CamSettings(self.cam_scales, self.cam_eps, *modes)

    read_published = staticmethod(whole_state)

    def weighs(self, step: int) -> dict[str, float]:
        """What weights are multiplied by at a step: at first the tags alone teach."""
        alone = step <= self.classification_only_until
        return {"segmentation": 0.0, "affinity": 0.0} if alone else {}

    def __call__(self, given: Ingredients) -> "Afa":
        """The method with new heads on an encoder."""
        if given.mit is None:
            raise InputError("method 'afa' starts from MiT; add mit.weights=PATH")
        encoder = given.mit.make_encoder(self.drop_path)
        network = AffinityNetwork(
            encoder, num_classes=given.num_classes, width=self.width, dropout=self.dropout
        )
        return Afa(network=network, settings=self, labels=given.labels, losses=given.losses)


@dataclass(frozen=True)
class AfaStep:
    """What a step of AFA computed beside the common fields.

    Attributes:
        slots: Tags of the batch.
        seen: What the network made of the batch, with graph.
        runs: Of the same images at several scales.
        pairs: (B, H, W), the labels that the affinity learnt from.
    """

    slots: TagSlots
    seen: Seen
    runs: CamRuns
    pairs: Tensor


class Afa(nn.Module):
    """AFA, all of which is trained.

    Args:
        network: Encoder and heads.
        settings: Constants of the method.
        labels: Constants of PAR.
        losses: Terms of the loss by name.
    """

    needs: Sequence[str] = AfaSettings.needs
    affinity_patch = 16  # pixels of the patches that `feature_affinity` is between

    def __init__(
        self,
        *,
        network: AffinityNetwork,
        settings: AfaSettings,
        labels: LabelSettings,
        losses: Mapping[str, Loss],
    ) -> None:
        super().__init__()
        self.trained: nn.Module = network
        self.settings = settings
        self.backgrounds = Backgrounds(
            low=settings.low_background, high=settings.high_background, par=labels.par
        )
        self.losses = losses

    @property
    def network(self) -> AffinityNetwork:
        """What is trained, without what shares it between processes."""
        return cast(AffinityNetwork, getattr(self.trained, "module", self.trained))

    @property
    def device(self) -> torch.device:
        """Where the method is."""
        return self.network.encoder.mean.device

    @property
    def program_side(self) -> int:
        """Pixels that images of an exported program must have per side."""
        return self.network.encoder.settings.program_side

    def parameter_groups(self) -> list[ParameterGroup]:
        """The encoder's parameters but its normalisations, which stay; and the heads'."""
        network = self.network
        heads = (network.classifier, network.affinity, network.segmenter)
        return [
            ParameterGroup([p for p in network.encoder.parameters() if p.requires_grad]),
            ParameterGroup(
                [p for head in heads for p in head.parameters()], self.settings.head_rate
            ),
        ]

    def forward(self, image: Tensor) -> Tensor:
        """Logits (B, C, h, w) at stride 4 of RGB images (B, 3, H, W) in 0..255."""
        seen: Seen = self.trained(image, None, total_of_one)
        return seen.logits

    def training_step(self, batch: Batch, step: int, total: Total = total_of_one) -> StepOutput:
        """From a batch of images and tags to the loss; as `Method.training_step`."""
        # 1. Network: logits (B, C, H/4, W/4), scores of tags (B, C-1), affinity (B, N, N)
        seen: Seen = self.trained(batch.image, batch.share, total, pairs=True)
        # 2. The same network at several scales, with mirror images: a map of each tag
        slots = pack_tags(batch.tags).to(self.device)  # (B, K)
        largest = max(self.settings.cam_scales)
        runs = self.look(batch.image, slots, largest, batch.share, total)  # (B, K, H, W)
        # 3. Pixels: two background scores, PAR, argmax; later of maps that the affinity spreads
        made = self.make_labels(runs, slots, batch, step)
        pairs, target = (corrected_label(each, batch) for each in made)  # (B, H, W)
        # 4. Losses; at first those of the tags alone
        given = LossInputs(
            seen.logits,
            cast(Tensor, seen.affinity),
            target,
            batch.tags,
            None,
            pseudo_label=pairs,
            class_logits=seen.class_logits,
            affinity_grid=seen.features.patch_grid,
            corrected=batch.corrected,
        )
        loss, terms = sum_of_terms(self.losses, given, total, self.settings.weighs(step))
        detail = AfaStep(slots, seen, runs, pairs)
        return StepOutput(loss, terms, batch.tags, seen.logits, runs.cam, target, detail)

    def look(
        self, image: Tensor, slots: TagSlots, scale: float, share: Share | None, total: Total
    ) -> CamRuns:
        """Maps of the tags of images (B, 3, H, W), and the affinity at a scale."""
        use = self.settings.cams
        return cam_runs(
            self.network, image, slots, use, affinity_scale=scale, share=share, total=total
        )

    @torch.no_grad()
    def make_labels(
        self, runs: CamRuns, slots: TagSlots, batch: Batch, step: int
    ) -> tuple[Tensor, Tensor]:
        """Labels (B, H, W) that the affinity of a step learns from, and that its logits do."""
        use = self.settings
        guide = colours(batch.image, runs.cam.dtype, truncated=use.truncated_guide)
        with torch.autocast(self.device.type, enabled=False):
            if step <= use.initial_labels_until:
                return (self.initial_label(runs, slots, guide, batch),) * 2
            target = self.propagated_label(runs, slots, guide, batch)
            if use.pairs_from_target:
                return target, target
            return self.initial_label(runs, slots, guide, batch), target

    def initial_label(self, runs: CamRuns, slots: TagSlots, guide: Tensor, batch: Batch) -> Tensor:
        """Labels (B, H, W) of maps as they are, guided by colours (B, 3, H, W)."""
        if self.settings.par_sees_padding:
            return initial_label(runs.cam, slots, guide, batch.content_box, self.backgrounds)
        scores = both_softmax(runs.cam, slots.filled, self.backgrounds)
        return label_in_boxes(scores, slots, guide, batch.boxes, self.backgrounds)

    def propagated_label(
        self, runs: CamRuns, slots: TagSlots, guide: Tensor, batch: Batch
    ) -> Tensor:
        """Labels (B, H, W) of maps that the affinity spreads."""
        transition, grid = self.transition(runs), runs.patch_grid
        scores = propagated_scores(runs.cam, slots, transition, grid, self.backgrounds)
        return label_in_boxes(scores, slots, guide, batch.boxes, self.backgrounds)

    def transition(self, runs: CamRuns) -> Tensor:
        """(B, N, N), row: target patch, column: source patch."""
        use, grid = self.settings, runs.patch_grid
        return window_transition(
            runs.affinity, grid, radius=use.radius, power=use.power, eps=use.spread_eps
        )

    @torch.no_grad()
    def label_maps(
        self, image: Tensor, tags: tuple[int, ...], *, size: tuple[int, int], step: int
    ) -> LabelMaps:
        """As `Labeller.label_maps`; the same at every step, with the lower background."""
        use, low = self.settings, self.settings.low_background
        slots = tag_slots(tags, self.network.classifier.out_channels).to(self.device)
        runs = self.look(image, slots, 1, None, total_of_one)
        scores = tag_softmax(resize(runs.cam, runs.patch_grid), slots.filled, low)
        spread = propagate(scores, self.transition(runs))  # (1, 1+K, h, w)
        guide = colours(image, runs.cam.dtype, truncated=use.truncated_guide)
        refined = refined_whole(spread, slots, guide, self.backgrounds)
        found = (
            thresholded_label(resize(runs.cam, size), slots.index, use.cam_threshold),
            label_map_of(resize(spread, size), slots.index),
            label_map_of(resize(refined, size), slots.index),
        )
        made = (each[0].to(torch.uint8).cpu() for each in found)
        kinds = dict(zip(LABEL_KINDS, made, strict=True))
        return LabelMaps(runs.cam[0].amax(0).cpu().numpy(), kinds)

    def feature_affinity(self, view: View) -> Tensor:
        """(B, N, N) of the network at scale 1.

        Raises:
            InputError: Its patches are not those of the CLIP.
        """
        return self.network.affinity_on(view.rgb, view.patch_grid)
