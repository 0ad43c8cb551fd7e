"""Scenes of masks that lie in a folder, with pictures that are read when they are shown."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from weclip.data.images.reading import Reading
from weclip.data.masks.mask_files import read_mask
from weclip.inference.given_image import as_rgb
from weclip.inference.report.overview.cards import Panels
from weclip.inference.report.overview.picture import Panel, outlined, photo
from weclip.inference.report.overview.scene import Scene
from weclip.system.errors import InputError
from weclip.training.runlog import progress_bar


class Files(NamedTuple):
    """The image and the mask of a scene."""

    image: Path
    mask: Path


def panels_of(
    files: Mapping[str, Files], palette: NDArray[np.uint8], caption: str, reading: Reading
) -> Panels:
    """Pictures of scenes by their names: the image, and its mask over it."""

    def panels(scene: Scene) -> Sequence[Panel]:
        pair = files[scene.name]
        try:
            image = as_rgb(pair.image, reading=reading)
            ids = read_mask(pair.mask, max_pixels=reading.max_pixels)
        except InputError:
            return []
        return [photo(image), outlined(image, ids, palette, caption)]

    return panels


@contextmanager
def watched(panels: Panels, count: int, console: Console) -> Iterator[Panels]:
    """The same pictures, of so many scenes, under a progress bar: large photographs take long."""
    with progress_bar(console) as progress:
        task = progress.add_task("report", total=count, status="")

        def shown(scene: Scene) -> Sequence[Panel]:
            made = panels(scene)
            progress.advance(task)
            return made

        yield shown
