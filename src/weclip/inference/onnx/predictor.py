"""From an image of any size to its label map by a model as ONNX, as `Predictor` does it.

Stage 6. Resizing, scales, flips and averages are those of PyTorch, in NumPy.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import floor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weclip.data.images.resizing import resized, softmax
from weclip.data.windows import Window, whole, windows
from weclip.inference.large.tiles import (
    LOOK_FROM,
    PROBE,
    Large,
    Tiling,
    patch_of,
    require_memory_for_all,
    tiled_logits,
)
from weclip.inference.prediction import (
    CERTAIN,
    MAX,
    Crf,
    Prediction,
    Prepared,
    Seen,
    batch_pixels,
    refined_label_map,
    refined_prediction,
    seen_size,
    softmax_of,
)
from weclip.labels.dense_crf import require_memory

Network = Callable[[NDArray[np.float32]], NDArray[Any]]
"""(B, 3, H, W) float32 RGB in [0, 255] -> (B, C, h, w) logits at patch stride."""


@dataclass(frozen=True)
class OnnxPredictor:
    """A model as ONNX and the way it is tested; call it on an image.

    Attributes:
        network: Maps (B, 3, H, W) float32 in [0, 255] to (B, C, h, w) logits.
        long_side: As in `Predictor`, like all that follows.
        scales: Image scales whose logits are merged.
        flip: Average with the mirrored image at each scale.
        crf: Applied to the full-size softmax; None for no CRF.
        tiling: How larger images are cut; None: never.
        on_cpu: Whether the network computes in this machine's own memory, not in a GPU's.
    """

    network: Network
    long_side: int | None = 512
    scales: tuple[float, ...] = (1.0, 0.75)
    flip: bool = True
    crf: Crf | None = None
    tiling: Tiling | None = None
    scale_merge: str = "mean"
    on_cpu: bool = True

    def pin_eval(self) -> None:
        """An exported model has no other mode."""

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(H, W) uint8 class ids of an image (H, W, 3) uint8, RGB."""
        if self.crf is None:
            return self.label_map(*self._seen(image))
        return refined_label_map(self.crf, image, self.probabilities(image))

    def with_confidence(self, image: NDArray[np.uint8]) -> Prediction:
        """As a call does, and how probable each pixel's class is."""
        if self.crf is None:
            return self.confident(*self._seen(image))
        return refined_prediction(self.crf, image, self.probabilities(image))

    def probabilities(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Class probabilities (C, H, W) of an image (H, W, 3) uint8 RGB, before any CRF."""
        return self.softmax(*self._seen(image))

    def _seen(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.float32], tuple[int, int]]:
        """Logits (C, h, w) of an image, and its size."""
        return self.logits([self.prepare(image)])[0], (image.shape[0], image.shape[1])

    def label_map(self, logits: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.uint8]:
        """Class ids (H, W) of an image of this size from its logits (C, h, w), without a CRF."""
        label_map = np.empty(size, np.uint8)
        for window in windows(size, len(logits)):
            label_map[window] = resized(logits, size, window).argmax(0)
        return label_map

    def confident(self, logits: NDArray[np.float32], size: tuple[int, int]) -> Prediction:
        """As `label_map`, and how probable each pixel's class is."""
        label_map, confidence = np.empty(size, np.uint8), np.empty(size, np.uint8)
        for window in windows(size, len(logits)):
            part = resized(logits, size, window)
            label_map[window] = part.argmax(0)
            confidence[window] = np.round(CERTAIN * softmax(part).max(0))
        return Prediction(label_map, confidence)

    def softmax(self, logits: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
        """Class probabilities (C, H, W) of the same; RunError if a CRF has no memory for them."""
        if self.crf is not None:
            require_memory(len(logits), size)
        return softmax_of(logits, size)

    @property
    def batch_pixels(self) -> int:
        """Pixels of the images, as they are prepared, that go through the network together."""
        return batch_pixels(on_cpu=self.on_cpu, flip=self.flip)

    def prepare(self, image: NDArray[np.uint8]) -> Seen:
        """An image (H, W, 3) uint8 as `logits` takes it: (1, 3, H', W') float32, or `Large`."""
        size = self._seen_size(image)
        if self.tiling is not None and self.tiling.cuts(size):
            return Large(image)
        return resized(image.transpose(2, 0, 1)[None], size, whole(size))

    def require_memory(self, size: tuple[int, int]) -> None:
        """RunError if an image (H, W) takes more memory than there is."""
        seen = seen_size(size, self.long_side, self.scales)
        if self.tiling is None or not self.tiling.cuts(seen):
            self._require(seen, 1)

    def _require(self, size: tuple[int, int], images: int) -> None:
        """The same for images that the network sees as a whole, at (H, W)."""
        if size[0] * size[1] > LOOK_FROM and self.on_cpu:
            images *= 1 + self.flip
            require_memory_for_all(size, self._patch, images, max(self.scales))

    def _seen_size(self, image: NDArray[np.uint8]) -> tuple[int, int]:
        return seen_size((image.shape[0], image.shape[1]), self.long_side, self.scales)

    def logits(self, prepared: Sequence[Prepared]) -> NDArray[np.float32]:
        """(B, C, h, w) at patch resolution of images that are prepared to one size, or a large one.

        Raises:
            RunError: One takes more memory than there is.
        """
        first = prepared[0]
        if isinstance(first, Large):
            return np.stack([self._tiled(first.image)])
        return self._whole([each for each in prepared if isinstance(each, np.ndarray)])

    def _tiled(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(C, h, w) of a large image."""
        channels, size = image.transpose(2, 0, 1)[None], self._seen_size(image)

        def logits_of(window: Window) -> NDArray[np.float32]:
            logits: NDArray[np.float32] = self._whole([resized(channels, size, window)])[0]
            return logits

        assert self.tiling is not None  # else nothing is `Large`
        return tiled_logits(size, self.tiling, self._patch, logits_of)

    @cached_property
    def _patch(self) -> int:
        return patch_of(self.network(np.zeros((1, 3, PROBE, PROBE), np.float32)).shape)

    def _whole(self, prepared: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """(B, C, h, w) of images that go through the network as they are."""
        height, width = prepared[0].shape[2:]
        self._require((height, width), len(prepared))
        image = np.concatenate(prepared)
        total: NDArray[np.float32] | None = None
        for scale in sorted(self.scales, key=lambda s: abs(s - 1)):  # the grid's owner first
            logits = self._at_scale(image, scale)
            if total is None:
                total = logits
            else:
                grid = (total.shape[2], total.shape[3])
                add = np.maximum if self.scale_merge == MAX else np.add
                total = add(total, resized(logits, grid, whole(grid)))
        if total is None:
            raise ValueError("logits need at least one scale")
        if self.scale_merge != MAX:
            total /= len(self.scales)
        return total

    def _at_scale(self, image: NDArray[np.float32], scale: float) -> NDArray[np.float32]:
        if scale != 1:
            size = (floor(image.shape[2] * scale), floor(image.shape[3] * scale))
            image = resized(image, size, whole(size), factor=scale)
        if not self.flip:
            return self.network(image).astype(np.float32)
        both = self.network(np.concatenate([image, image[..., ::-1]])).astype(np.float32)
        straight, mirrored = np.split(both, 2)
        return (straight + mirrored[..., ::-1]) * np.float32(0.5)
