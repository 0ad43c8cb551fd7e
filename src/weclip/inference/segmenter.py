"""A trained model for users: give it an image, get a label map.

Stage 6.
"""

from os import PathLike

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from weclip.data.images.decoding import MAX_PIXELS, pixels_of, read_image, to_rgb
from weclip.inference.arguments import path_of, short_errors
from weclip.inference.predictor import Predictor
from weclip.system.errors import InputError

ImageLike = str | PathLike[str] | Image.Image | NDArray[np.uint8]


class SegmentationModel:
    """A loaded model; make one with `weclip.load`.

    Args:
        predictor: The network with its test protocol.
        class_names: C names, background first; index equals class id.
        max_pixels: Width times height of the largest image file that is decoded.
    """

    def __init__(
        self, predictor: Predictor, class_names: tuple[str, ...], *, max_pixels: int = MAX_PIXELS
    ) -> None:
        self.predictor = predictor
        self.class_names = class_names
        self.max_pixels = max_pixels

    def predict(self, image: ImageLike) -> NDArray[np.uint8]:
        """Segment one image; needs no tags.

        Args:
            image: Path of an image file, a PIL image (of any mode that files may have; not turned
                by its EXIF), or an array (H, W, 3) or (H, W) uint8 RGB
                or grey.

        Returns:
            (H, W) uint8 class ids at the image's own size; 0 is background.

        Raises:
            InputError: Not an image file, one that is too large, or an image or array of another
                shape or type.
        """
        with short_errors():
            if not isinstance(image, np.ndarray | Image.Image):
                image = path_of(image, "image")
                if image.is_dir():
                    raise InputError(f"{image}: a folder; give one image file at a time")
            return self.predictor(as_rgb(image, max_pixels=self.max_pixels))


def as_rgb(image: ImageLike, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB of a path, PIL image or array."""
    if isinstance(image, np.ndarray):
        if image.dtype != np.uint8 or image.ndim not in (2, 3) or image.shape[2:] not in ((), (3,)):
            raise InputError(
                f"image array is {image.shape} {image.dtype}; give (H, W, 3) or (H, W) uint8"
            )
        require_pixels(image.shape)
        if image.ndim == 3:
            return np.ascontiguousarray(image)  # PyTorch takes no mirrored view
        return np.repeat(image[..., None], 3, axis=2)
    if isinstance(image, Image.Image):
        require_pixels(image.size)
        try:
            return pixels_of(to_rgb(image, orient=False))
        except ValueError as error:
            raise InputError(f"PIL image of mode {image.mode}: {error}") from None
    return pixels_of(read_image(image, max_pixels=max_pixels))


def require_pixels(size: tuple[int, ...]) -> None:
    """InputError for an image of no pixels, with its shape or size."""
    if 0 in size:
        raise InputError(f"image of {size} has no pixels; give at least one")
