"""CAMs and pseudo-labels of full images, to score what the decoder learns from.

Stage 6. Unlike predictions these need tags, and records say so.
"""

from collections.abc import Callable, Iterable

from weclip.backbones.precision import FLOAT32, computing_in
from weclip.data.images.full_images import EvalItem
from weclip.inference.prediction import LARGEST_PATCH
from weclip.inference.predictor import inference_mode, resize_long_side
from weclip.inference.scores.evaluate import EvaluationResult, RegionsOf, Tally
from weclip.labels.regions.regions import Regions
from weclip.methods.labelling import LabelMaps
from weclip.methods.method import Labeller
from weclip.system.errors import InputError


def make_label_maps(
    method: Labeller,
    item: EvalItem,
    *,
    long_side: int | None,
    step: int,
    precision: str = FLOAT32,
    regions: Regions | None = None,
) -> LabelMaps:
    """Label one image from its tags, at its own size.

    Args:
        method: What makes labels of tags; a module is held in eval mode.
        item: Image with tags.
        long_side: Long side in pixels it is seen at; None keeps its size.
        step: Training step whose labels these are.
        precision: As in `computing_in`, of the encoders and of what is trained.
        regions: Of the image, for a method that reads them in files.

    Raises:
        InputError: The image has no tags recorded.
    """
    if item.tags is None:
        raise InputError(f"image {item.name}: its data set has no tags, which CAM scores need")
    size = (item.image.shape[0], item.image.shape[1])
    with inference_mode(method), computing_in(precision, method.device):
        image = resize_long_side(item.image, long_side, smallest_side=LARGEST_PATCH)
        make: Callable[..., LabelMaps] = method.label_maps
        given = {} if regions is None else {"regions": regions}
        return make(image.to(method.device), item.tags, size=size, step=step, **given)


def evaluate_labels(
    method: Labeller,
    items: Iterable[EvalItem],
    *,
    tallies: dict[str, Tally],
    long_side: int | None,
    step: int,
    precision: str = FLOAT32,
    regions: RegionsOf | None = None,
) -> dict[str, EvaluationResult]:
    """Score CAMs, refined CAMs and pseudo-labels of a split in one pass.

    Several processes each give their own part of the images, and all get the scores of the split.

    Args:
        method: The method.
        items: Images with masks and tags.
        tallies: One empty tally for each of `LABEL_KINDS`.
        long_side: As in `make_label_maps`.
        step: As there.
        precision: As there.
        regions: As in `evaluate_segmentation`.

    Returns:
        Scores of each kind.
    """
    for item in items:
        maps = make_label_maps(
            method,
            item,
            long_side=long_side,
            step=step,
            precision=precision,
            regions=None if regions is None else regions(item.name, item.image),
        )
        for kind, tally in tallies.items():
            tally.add(item.name, maps.label_map[kind], item.mask)
    return {kind: tally.gather().result() for kind, tally in tallies.items()}
