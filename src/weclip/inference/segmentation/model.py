"""A trained model for users: give it an image, get a segmentation; give it many, get a stream.

Stage 6.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from glob import has_magic
from os import PathLike
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from weclip.data.batch import IGNORE_INDEX
from weclip.data.images.reading import PLAIN, Reading
from weclip.data.masks.colours import VOC_COLOURS
from weclip.inference.arguments import kind_of, path_of, short_errors
from weclip.inference.given_image import ImageLike, no_data_of_given, rgb_of
from weclip.inference.image_files import images_in
from weclip.inference.prediction import Predicts, Prepared, best_class, prepared_size, softmax_of
from weclip.inference.segmentation.result import Segmentation
from weclip.inference.stream.batches import BATCH, in_batches
from weclip.inference.stream.beside import read_ahead
from weclip.labels.dense_crf import require_memory
from weclip.system.errors import InputError

Logits = NDArray[np.float32]


@dataclass(frozen=True)
class Ready:
    """An image that is ready for the network.

    Attributes:
        source: As it was given.
        size: (H, W), its own.
        prepared: As the network sees it.
        pixels: (H, W, 3) uint8 RGB where a CRF will look at it; None otherwise.
        missing: (H, W) bool, where the image has no data; None where it has some everywhere.
    """

    source: ImageLike
    size: tuple[int, int]
    prepared: Prepared
    pixels: NDArray[np.uint8] | None
    missing: NDArray[np.bool_] | None = None


class SegmentationModel:
    """A loaded model; make one with `weclip.load`. Several threads may use it at once.

    Args:
        predictor: The network with its test protocol.
        class_names: C names, background first; index equals class id.
        palette: (256, 3) uint8 colours by class id.
        reading: How image files are read.
    """

    def __init__(
        self,
        predictor: Predicts,
        class_names: tuple[str, ...],
        *,
        palette: NDArray[np.uint8] = VOC_COLOURS,
        reading: Reading = PLAIN,
    ) -> None:
        predictor.pin_eval()
        self.predictor = predictor
        self.class_names = class_names
        self.palette = palette
        self.reading = reading

    @overload
    def predict(self, image: ImageLike) -> Segmentation: ...  # type: ignore[overload-overlap]
    @overload
    def predict(self, image: Iterable[ImageLike]) -> Iterator[Segmentation]: ...

    def predict(
        self, image: ImageLike | Iterable[ImageLike]
    ) -> Segmentation | Iterator[Segmentation]:
        """Segment one image, or many; needs no tags.

        Args:
            image: Path of an image file, a PIL image (of any mode that files may have; not turned
                by its EXIF), or an array (H, W, 3) or (H, W) uint8 RGB or grey. Or many: a folder,
                a pattern such as `photos/**/*.jpg`, a list or a generator; see `stream`, whose
                result type checkers know for folders and patterns too.

        Returns:
            A segmentation, or a stream of them.

        Raises:
            InputError: Not an image file, one that is too large, or an image or array of another
                shape or type.
        """
        with short_errors():
            if isinstance(image, np.ndarray | Image.Image | str | PathLike):
                path = image if not isinstance(image, str | PathLike) else path_of(image, "image")
                if not (isinstance(path, Path) and _is_many(path)):
                    ready = self._prepare(path)
                    return self._segmented(ready, self.predictor.logits([ready.prepared])[0])
            return self.stream(image)

    def stream(
        self, images: ImageLike | Iterable[ImageLike], *, batch_size: int = BATCH
    ) -> Iterator[Segmentation]:
        """Segment images one after the other, read ahead and in batches.

        Args:
            images: A folder (searched to any depth), a pattern, or images of `predict` in a list, a
                generator or anything else that can be gone through. Arrays are copied, so a camera
                may use its buffer again.
            batch_size: How many images of one size go through the network together; 1 to have each
                result as soon as its image is there.

        Yields:
            A segmentation of each image, in order.

        Raises:
            InputError: As in `predict`, when an image's turn comes; what is no images at once.
        """
        with short_errors():
            if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
                raise InputError("batch_size must be a whole number from 1")
            return self._stream(sources_of(images), batch_size)

    def _stream(self, sources: Iterable[ImageLike], batch_size: int) -> Iterator[Segmentation]:
        read = read_ahead(map(_kept, sources), self._prepare, ahead=max(4, batch_size))
        batched = in_batches(
            (ready for _, ready in read),
            lambda batch: self.predictor.logits([ready.prepared for ready in batch]),
            size_of=lambda ready: prepared_size(ready.prepared),
            pixels=self.predictor.batch_pixels,
            most=batch_size,
        )
        with short_errors():
            for ready, logits in batched:
                yield self._segmented(ready, logits)

    def _prepare(self, source: ImageLike) -> Ready:
        """Read an image, and resize it for the network."""
        pixels = rgb_of(source, reading=self.reading)
        size = (pixels.shape[0], pixels.shape[1])
        prepared = self.predictor.prepare(pixels)
        kept = pixels if self.predictor.crf is not None else None
        return Ready(source, size, prepared, kept, no_data_of_given(source))

    def _segmented(self, ready: Ready, logits: Logits) -> Segmentation:
        """The result of an image from its logits (C, h, w)."""
        crf, confidence = self.predictor.crf, None
        if crf is not None and ready.pixels is not None:
            require_memory(len(logits), ready.size)
            refined = crf(ready.pixels, softmax_of(logits, ready.size))
            label_map, confidence = best_class(refined), refined.max(0)
        else:
            label_map = self.predictor.label_map(logits, ready.size)
        if ready.missing is not None:
            label_map[ready.missing] = IGNORE_INDEX
        return Segmentation(
            label_map=label_map,
            class_names=self.class_names,
            image=ready.source,
            logits=logits.copy(),  # not the whole batch
            palette=self.palette,
            crf=crf,
            refined_confidence=confidence,
            reading=self.reading,
        )


def sources_of(images: object) -> Iterable[ImageLike]:
    """The images that a caller means: those of a folder or pattern, one, or what it goes through.

    Raises:
        InputError: None of these; or a folder or pattern without images.
    """
    if isinstance(images, np.ndarray | Image.Image):
        return [images]
    if isinstance(images, str | PathLike):
        path = path_of(images, "images")
        return images_in(str(path)) if _is_many(path) else [path]
    if isinstance(images, Iterable) and not isinstance(images, bytes | bytearray):
        return images
    raise InputError(
        f"images is {kind_of(images)}; give an image (a path, a PIL image or an array), a folder, "
        "a pattern, or a list or generator of images"
    )


def _is_many(path: Path) -> bool:
    """Whether a path is a folder or a pattern."""
    try:
        return path.is_dir() or (has_magic(str(path)) and not path.exists())
    except (OSError, ValueError):  # no path of this system: said when it is read
        return False


def _kept(source: ImageLike) -> ImageLike:
    """An image that its owner may change from now on."""
    return source.copy() if isinstance(source, np.ndarray | Image.Image) else source
