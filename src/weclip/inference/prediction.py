"""What a model says of an image, and how a CRF changes it; no PyTorch is needed here.

Stage 6. `Predictor` (PyTorch) and `OnnxPredictor` are what makes it.
"""

from collections.abc import Callable, Sequence
from math import ceil
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from weclip.data.images.resizing import resized, softmax
from weclip.data.windows import windows
from weclip.inference.large.tiles import Large, Tiling

if TYPE_CHECKING:
    from weclip.labels.regions.regions import Regions

Crf = Callable[[NDArray[np.uint8], NDArray[np.float32]], NDArray[np.float32]]
"""(H, W, 3) uint8 image and (C, H, W) probabilities -> (C, H, W) probabilities."""

Precision = Literal["float32", "float16"]

CERTAIN = 255
"""The confidence that stands for a probability of 1."""

BATCH_PIXELS, BATCH_PIXELS_ON_CPU = 2**21, 2**16
"""Pixels that go through a network together, at the size that it sees: of more, a GPU's memory
would be full; a processor computes no faster, and its caches would be (docs/benchmarks.md)."""

LARGEST_PATCH = 32  # ViT-B/32: every resized side must hold one patch at every scale

MAX = "max"
"""Scales are merged by the largest logit, not by the mean."""

Seen = NDArray[np.float32] | Large
"""(1, 3, H', W') float32 in [0, 255], as the network sees an image; or one that is to be tiled."""


class WithRegions(NamedTuple):
    """An image beside its regions, for a model that reads them.

    Attributes:
        image: As the network sees it.
        regions: At the image's own size.
    """

    image: Seen
    regions: "Regions"


Prepared = Seen | WithRegions


def beside(image: Seen, regions: "Regions | None") -> Prepared:
    """An image beside its regions, where some are given."""
    return image if regions is None else WithRegions(image, regions)


def batch_pixels(*, on_cpu: bool, flip: bool = False) -> int:
    """`Predicts.batch_pixels` of a device; on a processor mirrored images count too."""
    return BATCH_PIXELS_ON_CPU // (1 + flip) if on_cpu else BATCH_PIXELS


def prepared_size(prepared: Prepared) -> tuple[int, int] | None:
    """(H, W) of what the network sees as a whole; None for what is to be tiled, or has regions."""
    if isinstance(prepared, Large | WithRegions):
        return None
    return prepared.shape[2], prepared.shape[3]


class Prediction(NamedTuple):
    """What a model says of an image.

    Attributes:
        label_map: (H, W) uint8 class ids, 0 is background.
        confidence: (H, W) uint8, the probability of each pixel's class; `CERTAIN` is 1.
    """

    label_map: NDArray[np.uint8]
    confidence: NDArray[np.uint8]


class Predicts(Protocol):
    """A model with its test protocol; call it on an image (H, W, 3) uint8, RGB."""

    @property
    def long_side(self) -> int | None:
        """Long side in pixels that images are resized to; None keeps their size."""

    @property
    def scales(self) -> tuple[float, ...]:
        """Image scales whose logits are merged."""

    @property
    def flip(self) -> bool:
        """Whether logits are averaged with those of the mirrored image, at each scale."""

    @property
    def tiling(self) -> Tiling | None:
        """How larger images are cut; None: never."""

    @property
    def crf(self) -> Crf | None:
        """Applied to the full-size softmax; None for no CRF."""

    def pin_eval(self) -> None:
        """Enter eval mode for good: no thread may change the mode under another."""

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(H, W) uint8 class ids, 0 is background."""

    def with_confidence(self, image: NDArray[np.uint8]) -> Prediction:
        """As a call does, and how probable each pixel's class is."""

    def probabilities(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Class probabilities (C, H, W), before any CRF."""

    def require_memory(self, size: tuple[int, int]) -> None:
        """RunError if an image (H, W) takes more memory than there is."""

    @property
    def batch_pixels(self) -> int:
        """Pixels of the images, as they are prepared, that go through the network together."""

    def prepare(self, image: NDArray[np.uint8]) -> Seen:
        """The image as the network sees it."""

    def logits(self, prepared: Sequence[Prepared]) -> NDArray[np.float32]:
        """(B, C, h, w) at patch resolution of images that are prepared to one size, or of one.

        Raises:
            RunError: One takes more memory than there is.
        """

    def label_map(self, logits: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.uint8]:
        """Class ids (H, W) of an image of this size from its logits (C, h, w), without a CRF."""

    def confident(self, logits: NDArray[np.float32], size: tuple[int, int]) -> Prediction:
        """As `label_map`, and how probable each pixel's class is."""

    def softmax(self, logits: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
        """Class probabilities (C, H, W) of the same; RunError if a CRF has no memory for them."""


def seen_size(
    size: tuple[int, int], long_side: int | None, scales: Sequence[float]
) -> tuple[int, int]:
    """Height and width that an image (H, W) is seen at.

    Args:
        size: Its own.
        long_side: Pixels of the longer side; None keeps the size.
        scales: Further factors; at each of them, a strip of pixels still fills a patch.
    """
    return fitted_size(size, long_side, ceil(LARGEST_PATCH / min(1.0, *scales)))


def fitted_size(size: tuple[int, int], long_side: int | None, smallest: int) -> tuple[int, int]:
    """An image's height and width, truncated, at a long side (None: its own) and a least side."""
    if long_side is not None:
        longest = max(size)
        size = (size[0] * long_side // longest, size[1] * long_side // longest)
    return max(size[0], smallest), max(size[1], smallest)


def refined_label_map(
    crf: Crf, image: NDArray[np.uint8], probabilities: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """Best class (H, W) of every pixel after the CRF."""
    return best_class(crf(image, probabilities))


def refined_prediction(
    crf: Crf, image: NDArray[np.uint8], probabilities: NDArray[np.float32]
) -> Prediction:
    """Best class of every pixel after the CRF, and its probability."""
    refined = crf(image, probabilities)
    label_map = best_class(refined)
    confidence = np.empty_like(label_map)
    for rows, columns in windows(label_map.shape, len(refined)):
        best = refined[:, rows, columns].max(0).clip(0, 1)
        confidence[rows, columns] = np.round(CERTAIN * best)
    return Prediction(label_map, confidence)


def softmax_of(
    logits: NDArray[np.float32], size: tuple[int, int], dtype: Precision = "float32"
) -> NDArray[Any]:
    """Probabilities (C, H, W) of logits (C, h, w), which are resized to `size`."""
    probabilities = np.empty((len(logits), *size), dtype)
    for rows, columns in windows(size, len(logits)):
        probabilities[:, rows, columns] = softmax(resized(logits, size, (rows, columns)))
    return probabilities


def best_class(probabilities: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The class (H, W) uint8 that is most probable of (C, H, W)."""
    size = (probabilities.shape[1], probabilities.shape[2])
    label_map = np.empty(size, np.uint8)
    for rows, columns in windows(size, len(probabilities)):
        label_map[rows, columns] = probabilities[:, rows, columns].argmax(0)
    return label_map
