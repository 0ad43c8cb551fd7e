"""Pictures of label maps and CAMs: overlay, heat map, rows of pictures; PIL images in RGB.

Stage 6. The index PNG that prediction writes is `data.masks.save_mask`'s.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from weclip.data.batch import IGNORE_INDEX
from weclip.data.masks.colours import VOC_COLOURS
from weclip.data.windows import windows

_HEAT_STOPS = np.array(  # dark blue, violet, red, orange, pale yellow: lightness only rises
    [(13, 8, 72), (112, 23, 130), (201, 62, 88), (247, 148, 45), (250, 244, 150)], dtype=np.float64
)

OVERLAY_DEPTH = 24
"""Numbers of a pixel while it is painted: three colours, a few times, in double precision."""


def overlay(
    image: NDArray[np.uint8],
    label_map: NDArray[np.uint8],
    alpha: float = 0.6,
    *,
    palette: NDArray[np.uint8] = VOC_COLOURS,
) -> Image.Image:
    """Paint the foreground classes over an image; background and ignored pixels stay as they are.

    Args:
        image: (H, W, 3) uint8, RGB.
        label_map: (H, W) class ids.
        alpha: Opacity of the paint in [0, 1].
        palette: (256, 3) colours by class id.
    """
    painted = Image.new("RGB", (image.shape[1], image.shape[0]))
    for rows, columns in windows((image.shape[0], image.shape[1]), OVERLAY_DEPTH):
        ids, pixels = label_map[rows, columns], image[rows, columns]
        blended = (1 - alpha) * pixels + alpha * palette[ids]  # rows, columns, 3
        foreground = (ids != 0) & (ids != IGNORE_INDEX)
        shown = np.where(foreground[..., None], blended.round().astype(np.uint8), pixels)
        painted.paste(Image.fromarray(shown), (columns.start, rows.start))
    return painted


def heatmap(cam: NDArray[np.floating]) -> Image.Image:
    """A map (h, w) with values in [0, 1] from dark blue to pale yellow; values outside are cut."""
    position = np.clip(np.nan_to_num(cam), 0, 1) * (len(_HEAT_STOPS) - 1)
    stops = np.arange(len(_HEAT_STOPS))
    channels = [np.interp(position, stops, _HEAT_STOPS[:, channel]) for channel in range(3)]
    return Image.fromarray(np.stack(channels, axis=-1).round().astype(np.uint8))


def heat_overlay(
    image: NDArray[np.uint8], cam: NDArray[np.floating], alpha: float = 0.7
) -> Image.Image:
    """A heat map, resized to the image (H, W, 3) and blended with it."""
    size = (image.shape[1], image.shape[0])
    heat = heatmap(cam).resize(size, Image.Resampling.BILINEAR)
    return Image.blend(Image.fromarray(image), heat, alpha)


def enlarge(picture: Image.Image, height: int, *, smooth: bool) -> Image.Image:
    """Scale a picture to a height, keeping its shape.

    Args:
        picture: Any RGB picture.
        height: Pixels.
        smooth: Bicubic for photographs; otherwise nearest, which keeps class colours pure.
    """
    width = max(1, round(picture.width * height / picture.height))
    method = Image.Resampling.BICUBIC if smooth else Image.Resampling.NEAREST
    return picture.resize((width, height), method)


def picture_row(
    pictures: Sequence[Image.Image], *, height: int = 192, gap: int = 6, smooth: bool = False
) -> Image.Image:
    """Join pictures of one scene side by side at one height, on white.

    Args:
        pictures: At least one RGB picture.
        height: Pixels of the row.
        gap: Pixels between two pictures.
        smooth: As in `enlarge`.
    """
    scaled = [enlarge(picture.convert("RGB"), height, smooth=smooth) for picture in pictures]
    width = sum(picture.width for picture in scaled) + gap * (len(scaled) - 1)
    row = Image.new("RGB", (width, height), "white")
    left = 0
    for picture in scaled:
        row.paste(picture, (left, 0))
        left += picture.width + gap
    return row
