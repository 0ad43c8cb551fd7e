"""Scenes of masks that lie in a folder, with pictures that are read when they are shown."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from weclip.data.masks.mask_files import read_mask
from weclip.inference.given_image import as_rgb
from weclip.inference.report.overview.cards import Panels
from weclip.inference.report.overview.picture import Panel, outlined, photo
from weclip.inference.report.overview.scene import Scene
from weclip.system.errors import InputError


class Files(NamedTuple):
    """The image and the mask of a scene."""

    image: Path
    mask: Path


def panels_of(
    files: Mapping[str, Files], palette: NDArray[np.uint8], caption: str, max_pixels: int
) -> Panels:
    """Pictures of scenes by their names: the image, and its mask over it."""

    def panels(scene: Scene) -> Sequence[Panel]:
        pair = files[scene.name]
        try:
            image = as_rgb(pair.image, max_pixels=max_pixels)
            ids = read_mask(pair.mask, max_pixels=max_pixels)
        except InputError:
            return []
        return [photo(image), outlined(image, ids, palette, caption)]

    return panels
