"""From spread maps to labels: what methods share.

Stage 4.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from weclip.data.batch import IGNORE_INDEX, NOT_CORRECTED, Batch
from weclip.labels.pixel_refine import ParSettings
from weclip.labels.pixel_scores import Par, pixel_scores
from weclip.labels.pseudo_label import PseudoLabel, make_pseudo_label, without_padding
from weclip.labels.spreading import Refined
from weclip.labels.tag_slots import TagSlots
from weclip.labels.view import View
from weclip.methods.loss_inputs import at_pixels
from weclip.system.errors import InputError

LABEL_KINDS = ("cam", "refined_cam", "pseudo_label")
"""Label maps that tags lead to, each made of the one before."""


@dataclass(frozen=True)
class LabelMaps:
    """What the tags of one image lead to, at its own size.

    Attributes:
        heat: (h, w) in [0, 1], the largest of its maps.
        label_map: Class ids (H, W) uint8 by kind, of `LABEL_KINDS`.
    """

    heat: NDArray[np.float32]
    label_map: dict[str, Tensor]


@dataclass(frozen=True)
class Labelled:
    """What the tags of a training step's batch lead to.

    Attributes:
        cam: (B, K, h, w) in [0, 1], maps of the tags.
        weighted: (B, K, h, w), those that were spread; of most methods the same.
        refined: Maps after the affinity.
        pseudo_label: Labels (B, H, W), and what they were made of.
    """

    cam: Tensor
    weighted: Tensor
    refined: Refined
    pseudo_label: PseudoLabel


@dataclass(frozen=True, kw_only=True)
class LabelSettings:
    """Constants of pseudo-labels that methods share; sources in `weclip.config`.

    Attributes:
        min_max_eps: Added to the maximum where maps are scaled.
        background_power: Exponent of the background score.
        par: Constants of PAR.
        shares: Whether maps are shares of a pixel (`MapSource.shares`): they are not scaled, and
            background has what they leave.
    """

    min_max_eps: float
    background_power: float
    par: ParSettings
    shares: bool = False


def require_scaled(labels: LabelSettings) -> None:
    """InputError for maps that are shares, where WeCLIP+ weighs maps by predictions."""
    if labels.shares:
        raise InputError(
            "cam.source: its maps are shares of a place, which method 'weclip_plus' cannot weigh "
            "by predictions; add method.weclip_plus.refine_from=-1, or take cam.source=gradcam"
        )


def par_guide(view: View, *, normalised: bool) -> Tensor:
    """(B, 3, H, W), whose colours guide PAR: of the images, or of those that CLIP was given."""
    return view.normalised if normalised else view.rgb.float()


def pseudo_label_of(
    cam: Tensor, slots: TagSlots, guide: Tensor, labels: LabelSettings
) -> PseudoLabel:
    """Labels of the size of `guide` (B, 3, H, W) from refined maps (B, K, h, w)."""
    return make_pseudo_label(
        cam,
        slots,
        guide,
        size=(guide.shape[-2], guide.shape[-1]),
        eps=labels.min_max_eps,
        background_power=labels.background_power,
        par=labels.par,
        shares=labels.shares,
    )


def training_label(label_map: Tensor, batch: Batch, on_padding: bool) -> Tensor:
    """Labels (B, H, W) as training reads them: without padding unless told, and corrected."""
    labels = label_map if on_padding else without_padding(label_map, batch.content_box)
    return corrected_label(labels, batch)


def corrected_label(label_map: Tensor, batch: Batch) -> Tensor:
    """Labels (B, H, W), but of images with a corrected mask this mask (`data.corrected`)."""
    if batch.corrected is None:
        return label_map
    given = batch.corrected.label_map.to(label_map.dtype)
    return torch.where(given == NOT_CORRECTED, label_map, given)


def label_maps_of(
    cam: Tensor,
    refined: Tensor,
    slots: TagSlots,
    size: tuple[int, int],
    *,
    labels: LabelSettings,
    guide: Tensor | None,
) -> LabelMaps:
    """Label maps of one image.

    Args:
        cam: (1, K, h, w) in [0, 1], before the affinity.
        refined: (1, K, h, w), after it.
        slots: The tags.
        size: (H, W) of the label maps.
        labels: Constants.
        guide: (3, H', W'), whose colours guide PAR of the pseudo-label; None: no PAR.
    """
    par = None if guide is None else Par(labels.par, guide)
    use: dict[str, Any] = {"eps": labels.min_max_eps, "background_power": labels.background_power}
    use["shares"] = labels.shares
    steps = ((cam, None), (refined, None), (refined, par))
    with torch.autocast(cam.device.type, enabled=False):
        made = [pixel_scores(maps, slots, size, par=by, **use).label_map() for maps, by in steps]
    return LabelMaps(cam[0].amax(0).cpu().numpy(), dict(zip(LABEL_KINDS, made, strict=True)))


@torch.no_grad()
def class_probability(logits: Tensor, slots: TagSlots, patch_grid: torch.Size) -> Tensor:
    """(B, K, h, w), the predicted probability of each slot's class, of logits (B, C, h', w')."""
    probability = logits.float().softmax(dim=1)
    index = (slots.index + 1)[..., None, None].expand(-1, -1, *logits.shape[2:])
    of_slots = probability.gather(1, index)
    if of_slots.shape[2:] == patch_grid:
        return of_slots
    return F.interpolate(of_slots, patch_grid, mode="bilinear", align_corners=False)


@torch.no_grad()
def confident_classes(logits: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Largest probability and its class id, each (B, H, W), of logits (B, C, h, w) resized."""
    best = at_pixels(logits, size).softmax(dim=1).max(dim=1)
    return best.values, best.indices


def with_confident(
    labels: Tensor, logits: Tensor, slots: TagSlots, *, above: float, untagged: bool
) -> Tensor:
    """Labels (B, H, W) with confident predictions in their place.

    Args:
        labels: Class ids; where they are `IGNORE_INDEX` they stay.
        logits: (B, C, h, w).
        slots: The tags.
        above: Predictions of a larger probability are confident.
        untagged: Whether classes that are no tags replace labels too.
    """
    confidence, prediction = confident_classes(logits, (labels.shape[1], labels.shape[2]))
    counts = (confidence > above) & (labels != IGNORE_INDEX)
    if not untagged:
        allowed = slots.allowed(logits.shape[1])  # (B, C)
        counts &= allowed.gather(1, prediction.flatten(1)).view_as(counts)
    return torch.where(counts, prediction, labels)
