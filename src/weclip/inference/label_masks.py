"""From the scores of a method without training to masks with unsure pixels, image by image.

Stage 6, CLIP-ES section 3.5: dense CRF, and its confidence by which pixels are left out.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from weclip.data.batch import IGNORE_INDEX, TaggedImage
from weclip.data.windows import Window, windows
from weclip.inference.prediction import Crf
from weclip.inference.stream.batches import in_batches
from weclip.inference.stream.beside import in_processes
from weclip.labels.dense_crf import require_memory
from weclip.labels.regions.vote import vote


class Pixels(Protocol):
    """Scores of an image's pixels, such as `PixelScores`."""

    @property
    def class_ids(self) -> NDArray[np.uint8]:
        """(1+K,) class ids that they are of."""

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""

    def windows(self) -> Iterator[tuple[Window, Tensor]]:
        """All windows with their scores (1+K, rows, columns), 0 or more."""


@dataclass(frozen=True)
class HeldPixels:
    """`Pixels` that have been computed.

    Attributes:
        values: (1+K, H, W) float32.
        class_ids: (1+K,) uint8.
    """

    values: NDArray[np.float32]
    class_ids: NDArray[np.uint8]

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        return self.values.shape[1], self.values.shape[2]

    def windows(self) -> Iterator[tuple[Window, Tensor]]:
        """As `Pixels.windows`."""
        for rows, columns in windows(self.size, len(self.class_ids)):
            yield (rows, columns), torch.from_numpy(self.values[:, rows, columns])


@dataclass(frozen=True)
class BackgroundUnder:
    """`Pixels` that are background where no score reaches a least one.

    Attributes:
        pixels: The scores.
        least: In [0, 1].
    """

    pixels: Pixels
    least: float

    @property
    def class_ids(self) -> NDArray[np.uint8]:
        """As `Pixels.class_ids`."""
        return self.pixels.class_ids

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        return self.pixels.size

    def windows(self) -> Iterator[tuple[Window, Tensor]]:
        """As `Pixels.windows`; such pixels have `least` of background, which is more than any."""
        for window, values in self.pixels.windows():
            low = values.amax(dim=0) < self.least
            background = values[:1].masked_fill(low, self.least)
            yield window, torch.cat([background, values[1:]])


def hold(pixels: Pixels) -> HeldPixels:
    """Compute all scores, which a CRF needs at once; errors as in `require_memory`."""
    if isinstance(pixels, HeldPixels):
        return pixels
    require_memory(len(pixels.class_ids), pixels.size)
    values = np.empty((len(pixels.class_ids), *pixels.size), np.float32)
    for (rows, columns), part in pixels.windows():
        values[:, rows, columns] = part.cpu().numpy()
    return HeldPixels(values, pixels.class_ids)


class Scores(NamedTuple):
    """What a method gives for one image with K tags.

    Attributes:
        pixels: Scores of its pixels.
        soft: (K, h, w) uint8, the maps of `soft_maps`; None where they are not asked for.
        regions: (H, W) numbers of regions that vote; None: nothing does.
    """

    pixels: Pixels
    soft: NDArray[np.uint8] | None = None
    regions: NDArray[np.int32] | None = None


Named = tuple[TaggedImage, NDArray[np.uint8]]
"""What an image is, and its pixels (H, W, 3) uint8, RGB."""


class Scorer(Protocol):
    """A method that makes scores of images and their tags."""

    @property
    def shares(self) -> bool:
        """Whether soft maps are shares of a place, of which background has the rest."""

    def size_of(self, named: Named) -> tuple[int, int] | None:
        """(H, W) at which an image is seen; None: it goes alone."""

    @property
    def batch_pixels(self) -> int:
        """Pixels of the images, at these sizes, that are scored together."""

    def __call__(self, batch: Sequence[Named]) -> list[Scores]:
        """Scores of images that are seen at one size."""


@dataclass(frozen=True)
class LabelMask:
    """A mask made from tags.

    Attributes:
        label_map: (H, W) uint8 class ids; 255 where the best probability is too small.
        confidence: Mean over all pixels of the best probability, in [0, 1].
        soft: (K, h, w) uint8, as in `Scores`.
    """

    label_map: NDArray[np.uint8]
    confidence: float
    soft: NDArray[np.uint8] | None = None


def soft_shares(maps: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Maps (K, h, w) that are shares of a place, in [0, 1], in 0..255; nothing else is scaled."""
    levels: NDArray[np.uint8] = np.round(255 * maps.clip(0, 1)).astype(np.uint8)
    return levels


def soft_maps(maps: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Maps (K, h, w), each from its least to its greatest value, in 0..255; 0 if it has one value.

    >>> soft_maps(np.array([[[1, 2, 3]], [[5, 5, 5]]], np.float32)).tolist()
    [[[0, 128, 255]], [[0, 0, 0]]]
    """
    low = maps.min(axis=(1, 2), keepdims=True, initial=np.inf)
    above = maps - low
    high = above.max(axis=(1, 2), keepdims=True, initial=0)
    share = np.divide(above, high, out=np.zeros_like(above), where=high > 0)
    levels: NDArray[np.uint8] = np.round(255 * share).astype(np.uint8)
    return levels


def label_mask(
    image: NDArray[np.uint8], scores: Scores, crf: Crf | None, threshold: float
) -> LabelMask:
    """Decide on every pixel.

    The probability of a class is its score divided by the sum of the pixel's scores, and with a
    CRF what the CRF makes of these. Without a CRF it is not calibrated: it says by how much the
    best class leads, and of an image with one tag it is at least a half. Regions vote at the end.

    Args:
        image: (H, W, 3) uint8, RGB.
        scores: Scores and their class ids.
        crf: Refines the probabilities; None for no CRF. Images without tags need none.
        threshold: Pixels whose best probability is under this become 255; 0: none does.
    """
    pixels = scores.pixels
    if crf is not None and len(pixels.class_ids) > 1:
        held = hold(pixels)
        pixels = HeldPixels(crf(image, shares(held.values)), pixels.class_ids)
    label_map = np.empty(pixels.size, np.uint8)
    total = 0.0
    for window, values in pixels.windows():
        probabilities = shares(values.cpu().numpy())  # 1+K,rows,columns
        best = probabilities.max(axis=0)
        ids = pixels.class_ids[probabilities.argmax(axis=0)]
        ids[best < threshold] = IGNORE_INDEX
        label_map[window] = ids
        total += float(best.sum(dtype=np.float64))
    confidence = total / label_map.size
    if scores.regions is not None:
        regions = torch.from_numpy(scores.regions).long()
        label_map = vote(torch.from_numpy(label_map), regions).numpy()
    return LabelMask(label_map, confidence, scores.soft)


def shares(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scores (1+K, H, W), divided by the sum of each pixel's."""
    probabilities: NDArray[np.float32] = values / values.sum(axis=0, keepdims=True)
    return probabilities


def label_stream(
    score: Scorer,
    images: Iterable[Named],
    *,
    crf: Crf | None,
    threshold: float,
    background_under: float = 0.0,
    processes: int | None = None,
) -> Iterator[tuple[Named, LabelMask]]:
    """Label images in order, those of one size together; a CRF refines while the next are scored.

    Args:
        score: The method.
        images: Images with tags, read ahead.
        crf: As in `label_mask`; it must be picklable.
        threshold: As there.
        background_under: Where no score reaches it there is background; 0: nowhere.
        processes: How many refine by the CRF; None for one per core.
    """
    scored = in_batches(images, score, size_of=score.size_of, pixels=score.batch_pixels)
    if background_under:
        scored = (
            (named, s._replace(pixels=BackgroundUnder(s.pixels, background_under)))
            for named, s in scored
        )
    if crf is None:
        for named, scores in scored:
            yield named, label_mask(named[1], scores, None, threshold)
        return
    calls = (
        (named, partial(label_mask, named[1], s._replace(pixels=hold(s.pixels)), crf, threshold))
        for named, s in scored
    )
    yield from in_processes(calls, processes)
