"""What a model says of one image: label map, classes, confidence, probabilities, pictures.

Stage 6. A result holds its label map and the logits at patch resolution, which are small; whatever
else is asked for is computed from them, window by window, so that a large image is never held for
all classes at once unless `probabilities()` is called.
"""

from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from PIL import Image

from weclip.data.bands import bands, count_ids
from weclip.data.batch import IGNORE_INDEX
from weclip.data.images.reading import PLAIN, Reading
from weclip.data.images.resizing import resized, softmax
from weclip.data.masks.mask_files import save_mask
from weclip.data.masks.outlines import outlines
from weclip.data.windows import windows
from weclip.inference.arguments import path_of, short_errors
from weclip.inference.given_image import ImageLike, rgb_of
from weclip.inference.prediction import Crf, Precision, softmax_of
from weclip.inference.segmentation.page import ClassShare, page_of, small_picture
from weclip.inference.visualize import overlay
from weclip.labels.dense_crf import require_memory
from weclip.system.errors import InputError
from weclip.system.memory import free_memory


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Segmentation:
    """A segmented image; `model.predict` makes it, and a notebook shows it as a picture.

    `np.asarray(segmentation)` is the label map.

    Attributes:
        label_map: (H, W) uint8 class ids at the image's own size; 0 is background, and 255 is where
            a TIFF from a map has no data.
        class_names: C names, background first; index equals class id.
        image: The image as it was given: a path, a PIL image or an array. `overlay` looks at it
            again, so that many results of files take little memory.
        logits: (C, h, w) float32 at patch resolution, before any CRF.
        palette: (256, 3) uint8 colours by class id.
        crf: The dense CRF that the label map was refined by; None without.
        refined_confidence: (H, W) float32 after the CRF; None without.
        reading: How image files are read.
    """

    label_map: NDArray[np.uint8]
    class_names: tuple[str, ...]
    image: ImageLike
    logits: NDArray[np.float32]
    palette: NDArray[np.uint8]
    crf: Crf | None = None
    refined_confidence: NDArray[np.float32] | None = None
    reading: Reading = PLAIN

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, in pixels."""
        return self.label_map.shape[0], self.label_map.shape[1]

    @cached_property
    def confidence(self) -> NDArray[np.float32]:
        """(H, W) float32 from 0 to 1: how probable each pixel's class is; 0 without data.

        Computed when first asked for, without holding all classes of a large image.
        """
        best = self.refined_confidence
        if best is None:
            best = np.empty(self.size, np.float32)
            for window in windows(self.size, len(self.logits)):
                best[window] = softmax(resized(self.logits, self.size, window)).max(0)
        best[self.label_map == IGNORE_INDEX] = 0
        return best

    @cached_property
    def classes(self) -> list[ClassShare]:
        """The classes that are in the label map, background too, the largest first."""
        counts, sums = self._counts(), np.zeros(256)
        for rows in bands(self.size):
            ids, weights = self.label_map[rows].ravel(), self.confidence[rows].ravel()
            sums += np.bincount(ids, weights, minlength=256)
        found = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)].tolist()
        shares, confidences = counts / self.label_map.size, sums / np.maximum(counts, 1)
        return [
            ClassShare(self.class_names[i], i, float(shares[i]), min(1.0, float(confidences[i])))
            for i in found
        ]

    def probabilities(self, dtype: Precision = "float32") -> NDArray[np.floating[Any]]:
        """(C, H, W) probabilities of all classes, which sum to 1 in each pixel.

        Args:
            dtype: `float32`, or `float16` for half the memory.

        Raises:
            InputError: They take more memory than is free, or another type is asked for; or, with a
                CRF, the image cannot be read again.
        """
        if dtype not in ("float32", "float16"):
            raise InputError("dtype of probabilities must be 'float32' or 'float16'")
        classes, (height, width) = len(self.logits), self.size
        needed, free = classes * height * width * np.dtype(dtype).itemsize, free_memory()
        if free is not None and needed > free:
            raise InputError(
                f"probabilities of {width} x {height} pixels and {classes} classes take "
                f"{needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free; take .confidence, which "
                "is small, ask for dtype='float16', or scale the image down"
            )
        if self.crf is None:
            return softmax_of(self.logits, self.size, dtype)
        require_memory(classes, self.size)
        return self.crf(self._read(), softmax_of(self.logits, self.size)).astype(dtype, copy=False)

    def overlay(self, alpha: float = 0.6) -> Image.Image:
        """The image with its classes painted over it, at its own size, RGB; not the background.

        Args:
            alpha: Opacity of the paint, from 0 to 1.

        Raises:
            InputError: `alpha` is no such number; or the image file is gone, or another by now.
        """
        if isinstance(alpha, bool) or not isinstance(alpha, int | float) or not 0 <= alpha <= 1:
            raise InputError("alpha of an overlay must be a number from 0 to 1")
        return overlay(self._read(), self.label_map, alpha, palette=self.palette)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the label map as a palette PNG of class ids, as `weclip predict` does.

        Folders are made; a file that is there is replaced, whole or not at all.

        Args:
            path: The file, which must end in `.png`.

        Raises:
            InputError: The path has another ending, or cannot be written.
        """
        with short_errors():
            target = path_of(path, "path")
            if target.suffix.lower() != ".png":
                raise InputError(f"{target}: a label map is saved as PNG; give a name like a.png")
            save_mask(self.label_map, target, self.palette)

    def polygons(self) -> list[tuple[str, list[NDArray[np.float64]]]]:
        """Outlines of each class but the background, along the edges of its pixels.

        Returns:
            Name of each class, by id, and its polygons: (N, 2) float x and y in pixels, where (0,
            0) is the upper left corner of the image; a part with holes is one polygon, which a
            cut of no width leads into each of them.
        """
        found = []
        for class_id in np.flatnonzero(self._counts()[1:]) + 1:
            region = self.label_map == class_id
            top, bottom = np.flatnonzero(region.any(axis=1))[[0, -1]]
            left, right = np.flatnonzero(region.any(axis=0))[[0, -1]]
            traced = outlines(region[top : bottom + 1, left : right + 1])
            corner = np.array((left, top), np.float64)
            found.append((self.class_names[class_id], [each + corner for each in traced]))
        return found

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False and dtype not in (None, np.uint8):
            raise ValueError("another type than uint8 is a copy")
        return np.array(self.label_map, dtype=dtype, copy=bool(copy) or None)

    def __repr__(self) -> str:
        height, width = self.size
        named = ", ".join(self.class_names[i] for i in np.flatnonzero(self._counts()))
        return f"Segmentation({width} x {height} pixels: {named})"

    def _repr_png_(self) -> bytes:
        buffer = BytesIO()
        small_picture(self.overlay()).save(buffer, "PNG")
        return buffer.getvalue()

    def _repr_html_(self) -> str:
        return page_of(self.overlay(), self.classes, self.palette)

    def _counts(self) -> NDArray[np.int64]:
        """Pixels of each class id; none of 255, which is no class."""
        counts = count_ids(self.label_map)
        counts[IGNORE_INDEX] = 0
        return counts

    def _read(self) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB of the image; InputError if it is gone or of another size now."""
        with short_errors():
            pixels = rgb_of(self.image, reading=self.reading)
            if pixels.shape[:2] != self.size:
                raise InputError(
                    f"the image was {self.size[1]} x {self.size[0]} pixels when it was segmented, "
                    f"and is {pixels.shape[1]} x {pixels.shape[0]} now; predict it again"
                )
            return pixels
