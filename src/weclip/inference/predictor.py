"""From an image of any size to its label map: resize, scales and flips, average, argmax.

Stage 6; WeCLIP section 4.1 and the released test script. Needs no tags. Images are handled one by
one, and full-size logits window by window, so that memory depends on neither the classes nor the
pixels; only a CRF needs the probabilities of all of them at once.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from weclip.backbones.precision import FLOAT32, computing_in
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
from weclip.inference.large.whole import bytes_of_patch
from weclip.inference.multi_scale import Segmenter, multi_scale_logits, of_regions
from weclip.inference.prediction import (
    CERTAIN,
    Crf,
    Prediction,
    Prepared,
    Seen,
    WithRegions,
    batch_pixels,
    beside,
    fitted_size,
    refined_label_map,
    refined_prediction,
    seen_size,
)
from weclip.labels.dense_crf import require_memory
from weclip.labels.pseudo_label import best_of
from weclip.labels.regions.given import at_size, part_of
from weclip.labels.regions.regions import Regions
from weclip.labels.resizing import planes, resized


@dataclass(frozen=True)
class Predictor:
    """A segmentation model and the way it is tested; call it on an image.

    Attributes:
        model: Maps (B, 3, H, W) float32 in [0, 255] to (B, C, h, w) logits. A module is held in
            eval mode during each call and put back as it was.
        long_side: Long side in pixels that images are resized to; None keeps their size.
        scales: Image scales whose logits are merged.
        flip: Average with the mirrored image at each scale.
        crf: Applied to the full-size softmax; None for no CRF.
        device: Where images go; the model must be there.
        tiling: How larger images are cut; None: never.
        precision: As in `computing_in`, of the network alone.
        scale_merge: `mean`, or `max` for the largest logit of all scales.
    """

    model: Segmenter
    long_side: int | None = 512
    scales: tuple[float, ...] = (1.0, 0.75)
    flip: bool = True
    crf: Crf | None = None
    device: torch.device | str = "cpu"
    tiling: Tiling | None = None
    precision: str = FLOAT32
    scale_merge: str = "mean"

    def pin_eval(self) -> None:
        """Put a module in eval mode for good: no thread may change the mode under another."""
        if isinstance(self.model, nn.Module):
            self.model.eval()

    def __call__(
        self, image: NDArray[np.uint8], regions: Regions | None = None
    ) -> NDArray[np.uint8]:
        """Segment one image.

        Args:
            image: (H, W, 3) uint8, RGB.
            regions: Of it, for a model that reads regions in files.

        Returns:
            (H, W) uint8 class ids, 0 is background.
        """
        if self.crf is None:
            return self.label_map(*self._seen(image, regions))
        return refined_label_map(self.crf, image, self.probabilities(image, regions))

    def with_confidence(self, image: NDArray[np.uint8]) -> Prediction:
        """Segment one image as a call does, and say how probable each pixel's class is."""
        if self.crf is None:
            return self.confident(*self._seen(image))
        return refined_prediction(self.crf, image, self.probabilities(image))

    def probabilities(
        self, image: NDArray[np.uint8], regions: Regions | None = None
    ) -> NDArray[np.float32]:
        """Class probabilities (C, H, W) of an image, given as in a call, before any CRF."""
        return self.softmax(*self._seen(image, regions))

    def _seen(
        self, image: NDArray[np.uint8], regions: Regions | None = None
    ) -> tuple[NDArray[np.float32], tuple[int, int]]:
        """Logits (C, h, w) of an image, and its size."""
        logits = self.logits([beside(self.prepare(image), regions)])[0]
        return logits, (image.shape[0], image.shape[1])

    def label_map(self, logits: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.uint8]:
        """Class ids (H, W) of an image of this size from its logits (C, h, w), without a CRF."""
        return logits_to_label_map(self._on_device(logits)[None], size).cpu().numpy()

    def confident(self, logits: NDArray[np.float32], size: tuple[int, int]) -> Prediction:
        """As `label_map`, and how probable each pixel's class is."""
        return logits_to_prediction(self._on_device(logits)[None], size)

    def softmax(self, logits: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
        """Class probabilities (C, H, W) of the same; RunError if a CRF has no memory for them."""
        if self.crf is not None:
            require_memory(len(logits), size)
        on_device = self._on_device(logits)
        probabilities = np.empty((len(logits), *size), np.float32)
        for rows, columns in windows(size, len(logits)):
            part = resized(on_device, size, (rows, columns)).softmax(0)
            probabilities[:, rows, columns] = part.cpu().numpy()
        return probabilities

    def _on_device(self, logits: NDArray[np.float32]) -> Tensor:
        return torch.from_numpy(logits).to(self.device)

    @property
    def batch_pixels(self) -> int:
        """Pixels of the images, as they are prepared, that go through the network together."""
        return batch_pixels(on_cpu=torch.device(self.device).type == "cpu", flip=self.flip)

    def prepare(self, image: NDArray[np.uint8]) -> Seen:
        """An image (H, W, 3) uint8 as `logits` takes it: (1, 3, H', W') float32, or `Large`."""
        size = self._seen_size(image)
        if self.tiling is not None and self.tiling.cuts(size):
            return Large(image)
        return resized(planes(image)[None], size, whole(size)).numpy()

    def require_memory(self, size: tuple[int, int]) -> None:
        """RunError if an image (H, W) takes more memory than there is."""
        seen = seen_size(size, self.long_side, self.scales)
        if self.tiling is None or not self.tiling.cuts(seen):
            self._require(seen, 1)

    def _require(self, size: tuple[int, int], images: int) -> None:
        """The same for images that the network sees as a whole, at (H, W)."""
        if size[0] * size[1] > LOOK_FROM and torch.device(self.device).type == "cpu":
            images *= 1 + self.flip
            patch = int(getattr(self.model, "patch_size", 0)) or self._patch
            of_patch = bytes_of_patch(self.model, patch)
            require_memory_for_all(size, patch, images, max(self.scales), of_patch)

    def _seen_size(self, image: NDArray[np.uint8]) -> tuple[int, int]:
        return seen_size((image.shape[0], image.shape[1]), self.long_side, self.scales)

    def logits(self, prepared: Sequence[Prepared]) -> NDArray[np.float32]:
        """(B, C, h, w) at patch resolution of images that are prepared to one size, or of one.

        Raises:
            RunError: One takes more memory than there is.
        """
        first, regions = prepared[0], None
        if isinstance(first, WithRegions):
            first, regions = first
            prepared = [first]
        if isinstance(first, Large):
            return self._tiled(first.image, regions)[None]
        return self._whole([each for each in prepared if isinstance(each, np.ndarray)], regions)

    def _tiled(self, image: NDArray[np.uint8], regions: Regions | None) -> NDArray[np.float32]:
        """(C, h, w) of a large image."""
        channels, size = planes(image)[None], self._seen_size(image)
        cut = None if regions is None else at_size(regions, size)

        def logits_of(window: Window) -> NDArray[np.float32]:
            part = None if cut is None else part_of(cut, window)
            logits: NDArray[np.float32] = self._whole(
                [resized(channels, size, window).numpy()], part
            )[0]
            return logits

        assert self.tiling is not None  # else nothing is `Large`
        return tiled_logits(size, self.tiling, self._patch, logits_of)

    @cached_property
    def _patch(self) -> int:
        if (stride := getattr(self.model, "stride", None)) is not None:
            return int(stride)
        with inference_mode(self.model), computing_in(self.precision, self.device):
            return patch_of(self.model(torch.zeros(1, 3, PROBE, PROBE, device=self.device)).shape)

    def _whole(
        self, prepared: Sequence[NDArray[np.float32]], regions: Regions | None
    ) -> NDArray[np.float32]:
        """(B, C, h, w) of images that go through the network as they are; regions are of one."""
        height, width = prepared[0].shape[2:]
        self._require((height, width), len(prepared))
        with inference_mode(self.model), computing_in(self.precision, self.device):
            batch = torch.cat([torch.from_numpy(each) for each in prepared])  # B,3,H',W'
            logits = multi_scale_logits(
                self.model if regions is None else of_regions(self.model, regions),
                batch.to(self.device),
                scales=self.scales,
                flip=self.flip,
                merge=self.scale_merge,
            )
            return logits.cpu().numpy()


@contextmanager
def inference_mode(model: object) -> Iterator[None]:
    """Eval mode without gradients; every submodule's own mode is put back afterwards.

    Modes are restored one by one because `train()` on the whole would wake parts pinned in eval.
    (`torch.inference_mode` would poison tensors that a module caches for training.)
    """
    modes = [(m, m.training) for m in model.modules()] if isinstance(model, nn.Module) else []
    try:
        if isinstance(model, nn.Module):
            model.eval()
        with torch.no_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training


def resize_long_side(
    image: NDArray[np.uint8] | Tensor, long_side: int | None, *, smallest_side: int = 1
) -> Tensor:
    """Scale an image so that its long side has `long_side` pixels, bilinear, without rounding.

    Args:
        image: (H, W, 3) uint8 or float, RGB in [0, 255].
        long_side: Pixels; None keeps the size.
        smallest_side: A shorter resized side is stretched to this, so that even a strip of
            pixels fills a patch.

    Returns:
        (1, 3, H', W') float32 in [0, 255], sizes truncated to whole pixels.
    """
    channels = planes(image) if isinstance(image, np.ndarray) else image.permute(2, 0, 1)
    wanted = fitted_size((channels.shape[1], channels.shape[2]), long_side, smallest_side)
    return resized(channels[None], wanted, whole(wanted))


def logits_to_label_map(logits: Tensor, image_size: tuple[int, int]) -> Tensor:
    """Resize logits to the image, bilinear, and take the best class of every pixel.

    Args:
        logits: (1, C, h, w), C up to 255.
        image_size: (H, W) of the result.

    Returns:
        (H, W) uint8 class ids.
    """
    label_map = torch.empty(image_size, dtype=torch.uint8, device=logits.device)
    for window in windows(image_size, logits.shape[1]):
        label_map[window] = best_of(resized(logits[0], image_size, window), 0)
    return label_map


def logits_to_prediction(logits: Tensor, image_size: tuple[int, int]) -> Prediction:
    """As `logits_to_label_map`, with the softmax of each pixel's class."""
    label_map = logits_to_label_map(logits, image_size).cpu().numpy()
    confidence = np.empty_like(label_map)
    for window in windows(image_size, logits.shape[1]):
        best = resized(logits[0], image_size, window).softmax(0).amax(0)
        confidence[window] = (CERTAIN * best).round().cpu().numpy()
    return Prediction(label_map, confidence)
