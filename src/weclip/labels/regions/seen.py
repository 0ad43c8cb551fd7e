"""Large images seen smaller, and the ids of their regions at the image's own size again.

Stage 3. What cuts by colours takes minutes for a photo of many megapixels, and its constants are
of images of some hundred pixels.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Cut = Callable[[NDArray[np.uint8]], NDArray[np.int32]]
"""(h, w, 3) uint8 -> (h, w) numbers of regions."""


def cut_smaller(image: NDArray[np.uint8], longest: int, cut: Cut) -> NDArray[np.int32]:
    """(H, W) ids that `cut` gives for an image (H, W, 3) whose longer side has at most `longest`.

    Args:
        image: uint8, RGB.
        longest: Pixels of the longer side; an image that has more is seen smaller.
        cut: What cuts it.
    """
    height, width = image.shape[:2]
    scale = longest / max(height, width)
    if scale >= 1:
        return cut(image)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))
    ids = cut(small)
    rows, columns = (nearest(*each) for each in zip(ids.shape, (height, width), strict=True))
    return ids[rows[:, None], columns]


def nearest(given: int, wanted: int) -> NDArray[np.intp]:
    """Of each of `wanted` pixels the one of `given` that its centre lies in.

    >>> nearest(2, 5).tolist()
    [0, 0, 1, 1, 1]
    """
    return ((np.arange(wanted) * 2 + 1) * given // (2 * wanted)).astype(np.intp)
