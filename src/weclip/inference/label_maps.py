"""CAMs and pseudo-labels of full images, to score what the decoder learns from.

Stage 6. Unlike predictions these need tags, and records say so.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from weclip.data.images.full_images import EvalItem
from weclip.inference.predictor import LARGEST_PATCH, inference_mode, resize_long_side
from weclip.inference.scores.evaluate import EvaluationResult, Tally
from weclip.labels.maps.gradcam import TagSlots, tag_slots
from weclip.labels.pseudo_label import label_map_of, resize_cam, with_background
from weclip.methods.weclip import WeClip
from weclip.system.errors import InputError

LABEL_KINDS = ("cam", "refined_cam", "pseudo_label")


@dataclass(frozen=True)
class LabelMaps:
    """What the tags of one image lead to, at its own size.

    Attributes:
        heat: (h, w) in [0, 1], the largest of its CAMs.
        label_map: For each of `LABEL_KINDS`, (H, W) int64 class ids.
    """

    heat: NDArray[np.float32]
    label_map: dict[str, Tensor]


def make_label_maps(
    method: WeClip, item: EvalItem, *, long_side: int | None, step: int
) -> LabelMaps:
    """Label one image from its tags.

    Args:
        method: The method; its decoder takes part once the refinement module is on.
        item: Image with tags.
        long_side: Long side in pixels it is resized to; None keeps its size.
        step: Training step that decides whether the refinement module is on.

    Raises:
        InputError: The image has no tags recorded.
    """
    if item.tags is None:
        raise InputError(f"image {item.name}: its data set has no tags, which CAM scores need")
    device = method.device
    size = item.image.shape[:2]
    slots = tag_slots(item.tags, len(method.maps.class_text)).to(device)
    with inference_mode(method):
        image = resize_long_side(item.image, long_side, smallest_side=LARGEST_PATCH).to(device)
        normalised = method.normalise(image)
        features = method.image_encoder(normalised, method.attention_maps(step))
        decoded = method.decoder(features.tokens, features.patch_grid)
        cam, seen = method.make_cam(features, slots)
        refined = method.refine(cam, seen, decoded.feature_affinity, step)
        guide = normalised if method.labels.par_on_normalised_image else image
        pseudo = method.make_label(refined.cam, slots, guide, size=size)
    return LabelMaps(
        heat=cam[0].amax(0).cpu().numpy(),
        label_map={
            "cam": cam_label_map(cam, slots, size, method),
            "refined_cam": cam_label_map(refined.cam, slots, size, method),
            "pseudo_label": pseudo.label_map[0].cpu(),
        },
    )


def cam_label_map(cam: Tensor, slots: TagSlots, size: tuple[int, int], method: WeClip) -> Tensor:
    """Labels (H, W) of one image's CAMs (1, K, h, w) against the background score."""
    cam = resize_cam(cam, slots, size, method.maps.settings.min_max_eps)
    scores = with_background(cam, method.labels.background_power)  # (1, 1+K, H, W)
    return label_map_of(scores, slots)[0].cpu()


def evaluate_labels(
    method: WeClip,
    items: Iterable[EvalItem],
    *,
    tallies: dict[str, Tally],
    long_side: int | None,
    step: int,
) -> dict[str, EvaluationResult]:
    """Score CAMs, refined CAMs and pseudo-labels of a split in one pass.

    Several processes each give their own part of the images, and all get the scores of the split.

    Args:
        method: The method.
        items: Images with masks and tags.
        tallies: One empty tally for each of `LABEL_KINDS`.
        long_side: As in `make_label_maps`.
        step: As there.

    Returns:
        Scores of each kind.
    """
    for item in items:
        maps = make_label_maps(method, item, long_side=long_side, step=step)
        for kind, tally in tallies.items():
            tally.add(item.name, maps.label_map[kind], item.mask)
    return {kind: tally.gather().result() for kind, tally in tallies.items()}
