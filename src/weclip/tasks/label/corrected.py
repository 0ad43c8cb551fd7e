"""Masks in the folder of `weclip label`: of one image with all that goes with it, and corrected."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from weclip.data.batch import TaggedImage
from weclip.data.corrections.masks import CorrectedMasks
from weclip.data.images.reading import Reading
from weclip.inference.given_image import as_rgb
from weclip.inference.label_masks import LabelMask
from weclip.tasks.label.folder import LabelFolder
from weclip.tasks.predict import write_overlay

PATCH = 16
"""Pixels of a cell of a corrected image's soft maps; CLIP's patches are as large."""


def write_corrected(
    folder: LabelFolder, masks: CorrectedMasks, images: Sequence[TaggedImage], reading: Reading
) -> list[TaggedImage]:
    """Write the corrected masks of images as they are, with full confidence.

    Returns:
        The images that have none.

    Raises:
        InputError: A mask or, for its overlay, an image cannot be read.
    """
    others = []
    for image in images:
        mask = masks.read(image.name)
        if mask is None:
            others.append(image)
            continue
        soft = corrected_soft(mask, image.tags) if folder.soft else None
        pixels = as_rgb(image.path, reading=reading) if folder.overlays else None
        write_whole(folder, image, pixels, LabelMask(mask, 1.0, soft))
    return others


def corrected_soft(mask: NDArray[np.uint8], tags: Sequence[int]) -> NDArray[np.uint8]:
    """(K, h, w): 255 where a cell is all of a tag's class, 0 where nothing of it is.

    >>> corrected_soft(np.array([[0, 2, 2]], np.uint8), (0, 1)).tolist()
    [[[0]], [[170]]]
    """
    size = tuple(max(1, round(side / PATCH)) for side in (mask.shape[1], mask.shape[0]))
    whole = [Image.fromarray(np.uint8(255) * (mask == tag + 1)) for tag in tags]
    cells = [np.asarray(each.resize(size, Image.Resampling.BOX)) for each in whole]
    return np.stack(cells) if cells else np.zeros((0, size[1], size[0]), np.uint8)


def write_whole(
    folder: LabelFolder, image: TaggedImage, pixels: NDArray[np.uint8] | None, mask: LabelMask
) -> None:
    """Write an image's mask last: where it is, all is; `pixels` (H, W, 3) are for its overlay."""
    folder.save_soft(image, mask)
    if folder.overlays and pixels is not None:
        path = folder.overlay_path(image)
        write_overlay(pixels, mask.label_map, path, folder.classes.palette)
    folder.save(image, mask)
