"""An image as a caller gives it: a path, a PIL image or an array.

Stage 6.
"""

from os import PathLike

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from weclip.data.images.decoding import grey_in_range, pixels_of, read_rgb, to_rgb
from weclip.data.images.reading import PLAIN, Reading
from weclip.data.masks.geo_masks import NoData, no_data_of
from weclip.inference.arguments import path_of
from weclip.system.errors import InputError

ImageLike = str | PathLike[str] | Image.Image | NDArray[np.uint8]


def rgb_of(image: ImageLike, *, reading: Reading = PLAIN) -> NDArray[np.uint8]:
    """As `as_rgb`, of what may be no image at all; `~` is this user's home."""
    if not isinstance(image, np.ndarray | Image.Image):
        image = path_of(image, "image")
        if image.is_dir():
            raise InputError(f"{image}: a folder; give it alone, or one image file at a time")
    return as_rgb(image, reading=reading)


def no_data_of_given(image: ImageLike) -> NoData | None:
    """Where an image file (H, W) has no data; None where it has some everywhere, and of others."""
    if isinstance(image, np.ndarray | Image.Image):
        return None
    return no_data_of(path_of(image, "image"))


def as_rgb(image: ImageLike, *, reading: Reading = PLAIN) -> NDArray[np.uint8]:
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
        if reading.chooses and image.mode.startswith("I"):
            return grey_in_range(image, reading, f"PIL image of mode {image.mode}", orient=False)
        try:
            return pixels_of(to_rgb(image, orient=False))
        except ValueError as error:
            raise InputError(f"PIL image of mode {image.mode}: {error}") from None
    return read_rgb(image, reading=reading)


def require_pixels(size: tuple[int, ...]) -> None:
    """InputError for an image of no pixels, with its shape or size."""
    if 0 in size:
        raise InputError(f"image of {size} has no pixels; give at least one")
