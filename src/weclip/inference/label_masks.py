"""From the scores of a method without training to masks with unsure pixels, image by image.

Stage 6, CLIP-ES section 3.5: dense CRF, and its confidence by which pixels are left out.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from weclip.data.batch import IGNORE_INDEX, TaggedImage
from weclip.inference.predictor import Crf
from weclip.inference.stream import in_processes

Scores = tuple[NDArray[np.float32], NDArray[np.uint8]]
"""(1+K, H, W) scores, 0 or more, and the (1+K,) class ids that they are of."""

Scorer = Callable[[NDArray[np.uint8], tuple[int, ...]], Scores]
"""(H, W, 3) uint8 image and its tags -> scores."""

Named = tuple[TaggedImage, NDArray[np.uint8]]
"""What an image is, and its pixels (H, W, 3) uint8, RGB."""


@dataclass(frozen=True)
class LabelMask:
    """A mask made from tags.

    Attributes:
        label_map: (H, W) uint8 class ids; 255 where the best probability is too small.
        confidence: Mean over all pixels of the best probability, in [0, 1].
    """

    label_map: NDArray[np.uint8]
    confidence: float


def label_mask(
    image: NDArray[np.uint8], scores: Scores, crf: Crf | None, threshold: float
) -> LabelMask:
    """Decide on every pixel.

    The probability of a class is its score divided by the sum of the pixel's scores, and with a
    CRF what the CRF makes of these. Without a CRF it is not calibrated: it says by how much the
    best class leads, and of an image with one tag it is at least a half.

    Args:
        image: (H, W, 3) uint8, RGB.
        scores: Scores and their class ids.
        crf: Refines the probabilities; None for no CRF. Images without tags need none.
        threshold: Pixels whose best probability is under this become 255; 0: none does.
    """
    values, class_ids = scores
    probabilities = values / values.sum(axis=0, keepdims=True)  # 1+K,H,W
    if crf is not None and len(class_ids) > 1:
        probabilities = crf(image, probabilities)
    best = probabilities.max(axis=0)  # H,W
    label_map = class_ids[probabilities.argmax(axis=0)]
    label_map[best < threshold] = IGNORE_INDEX
    return LabelMask(label_map, float(best.mean(dtype=np.float64)))


def label_stream(
    score: Scorer,
    images: Iterable[Named],
    *,
    crf: Crf | None,
    threshold: float,
    processes: int | None = None,
) -> Iterator[tuple[Named, LabelMask]]:
    """Label images in order; the CRF refines the last ones while the next are scored.

    Args:
        score: The method.
        images: Images with tags, read ahead.
        crf: As in `label_mask`; it must be picklable.
        threshold: As there.
        processes: How many refine by the CRF; None for one per core.
    """
    scored = ((named, score(named[1], named[0].tags)) for named in images)
    if crf is None:
        for named, scores in scored:
            yield named, label_mask(named[1], scores, None, threshold)
        return
    calls = (
        (named, partial(label_mask, named[1], scores, crf, threshold)) for named, scores in scored
    )
    yield from in_processes(calls, processes)
