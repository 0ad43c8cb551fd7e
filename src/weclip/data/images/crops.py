"""The training augmentation: random scale, flip, padding and crop, in one resize.

Stage 1 (WeCLIP section 4.1; order and padding as in AFA and the released code: scale, flip, pad at
a random place, crop at a random place). All random numbers are drawn first; then only the window
of the source that ends up in the crop is resized. The result is that of the long way round.

Resizing is PIL's bilinear filter, as in the released code: its support grows when an image is
made smaller, so it averages instead of skipping pixels.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from weclip.data.batch import IGNORE_INDEX


@dataclass(frozen=True)
class Augmentation:
    """How a training crop is drawn.

    Attributes:
        crop_size: S, side of the crop in pixels.
        scale_range: Smallest and largest factor, drawn uniformly; sizes are truncated to int.
        flip_probability: Chance of a horizontal flip.
        max_side: A longer image is seen at this long side, before the factor; None: at its own.
    """

    crop_size: int
    scale_range: tuple[float, float]
    flip_probability: float
    max_side: int | None = None


@dataclass(frozen=True)
class Crop:
    """A training crop.

    Attributes:
        image: (S, S, 3) uint8, RGB, black outside the content.
        content_box: `y0, x0, y1, x1` of the image content inside the crop, half-open.
        label_map: (S, S) uint8, the same part of the image's mask, `IGNORE_INDEX` outside the
            content; None where no mask was given.
        regions: (S, S) int32, the same part of its numbers of regions, 0 (in none) outside; None
            where none were given.
    """

    image: npt.NDArray[np.uint8]
    content_box: tuple[int, int, int, int]
    label_map: npt.NDArray[np.uint8] | None = None
    regions: npt.NDArray[np.int32] | None = None


def random_crop(
    image: Image.Image,
    augmentation: Augmentation,
    rng: np.random.Generator,
    mask: npt.NDArray[np.uint8] | None = None,
    regions: npt.NDArray[np.int32] | None = None,
) -> Crop:
    """Scale, flip, pad and crop an image at random.

    Args:
        image: RGB image of any size.
        augmentation: Size and chances.
        rng: Source of all randomness; always four numbers are drawn, with a mask or without.
        mask: (H, W) class ids of the image's size; the nearest pixel is taken.
        regions: (H, W) numbers of its regions, likewise.
    """
    crop_size = augmentation.crop_size
    scale = rng.uniform(*augmentation.scale_range) * shrinking(image.size, augmentation.max_side)
    flip = rng.random() < augmentation.flip_probability
    place = rng.random(2)  # where crop and content lie relative to each other, per axis
    width, height = (max(1, int(side * scale)) for side in image.size)
    y0, top, rows = crop_window(height, crop_size, place[0])
    x0, left, columns = crop_window(width, crop_size, place[1])

    source_x0 = width - x0 - columns if flip else x0  # the window in the image not yet flipped
    x_ratio, y_ratio = image.width / width, image.height / height
    box = (
        source_x0 * x_ratio,
        y0 * y_ratio,
        min((source_x0 + columns) * x_ratio, image.width),  # rounding may overshoot the image
        min((y0 + rows) * y_ratio, image.height),
    )
    content = (top, left, top + rows, left + columns)

    def cropped(whole: Image.Image, by: Image.Resampling, outside: int) -> npt.NDArray[Any]:
        window = np.asarray(whole.resize((columns, rows), by, box=box))
        crop = np.full((crop_size, crop_size, *window.shape[2:]), outside, window.dtype)
        crop[top : top + rows, left : left + columns] = window[:, ::-1] if flip else window
        return crop

    def of_ids(ids: npt.NDArray[Any] | None, outside: int) -> npt.NDArray[Any] | None:
        by = Image.Resampling.NEAREST
        return None if ids is None else cropped(Image.fromarray(ids), by, outside)

    pixels = cropped(image, Image.Resampling.BILINEAR, 0)
    return Crop(pixels, content, of_ids(mask, IGNORE_INDEX), of_ids(regions, 0))


def shrinking(size: tuple[int, int], max_side: int | None) -> float:
    """Factor that an image is made smaller by, so that its long side is not over `max_side`.

    >>> shrinking((4000, 3000), 640), shrinking((500, 375), 640), shrinking((4000, 3000), None)
    (0.16, 1.0, 1.0)
    """
    return 1.0 if max_side is None else min(1.0, max_side / max(size))


def crop_window(side: int, crop_size: int, place: float) -> tuple[int, int, int]:
    """Place a crop along one axis.

    Args:
        side: Length of the image.
        crop_size: Length of the crop.
        place: Uniform random number in [0, 1).

    Returns:
        Start of the window in the image, offset of the window in the crop, window length. An
        image longer than the crop is cut at a random place, a shorter one padded.

    >>> crop_window(10, 4, 0.5), crop_window(4, 10, 0.5)
    ((3, 0, 4), (0, 3, 4))
    """
    offset = int(place * (abs(side - crop_size) + 1))
    return (offset, 0, crop_size) if side >= crop_size else (0, offset, side)
