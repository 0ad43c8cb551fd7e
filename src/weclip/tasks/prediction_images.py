"""The images of `weclip predict`: which can be used, and what is said of the others."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from weclip.config import Config
from weclip.data.images.rasters.bands import INSTALL
from weclip.data.images.reading import Reading
from weclip.data.masks.geo_masks import NoData, has_geo_mask, is_from_a_map, no_data_of
from weclip.inference.given_image import as_rgb
from weclip.system.console import warn, warnings_of
from weclip.system.errors import InputError, RunError
from weclip.system.files import sha256_of
from weclip.system.untrusted.text import shown
from weclip.tasks.load.opening import Opened
from weclip.tasks.prediction_folder import Job

Image = NDArray[np.uint8]
Read = tuple[Image, str, NoData | None]
"""An image (H, W, 3), the SHA-256 of its file, which its mask carries, and where it has no data."""


def tell_of_maps(images: Sequence[Job], console: Console) -> None:
    """Say once that masks of images from a map could lie on it too."""
    count = sum(is_from_a_map(path) and not has_geo_mask(path) for path, _ in images)
    if count:
        warn(
            console,
            f"{count} of the images {'lies' if count == 1 else 'lie'} on a map; {INSTALL} to have "
            "their masks as GeoTIFF too",
        )


def read_or_say(job: Job, *, reading: Reading) -> Read | InputError:
    """An image, or what is wrong with it."""
    try:
        sha256 = sha256_of(job[0])  # first: if the file is replaced meanwhile, it is done again
        return as_rgb(job[0], reading=reading), sha256, no_data_of(job[0])
    except InputError as error:
        return error


def usable(
    read: Iterable[tuple[Job, Read | InputError]],
    model: Opened,
    skipped: list[str],
    console: Console,
) -> Iterator[tuple[Job, Read]]:
    """The images that can be read, and are not too large; the others are told and noted."""
    told = False
    for job, image in read:
        wrong = str(image) if isinstance(image, InputError) else _too_large(job, image, model)
        if isinstance(image, InputError) or wrong:
            said = shown(wrong)
            skipped.append(said)
            said_at = warnings_of(console)
            said_at.print(f"skipped: {said}", style="yellow", soft_wrap=True, markup=False)
            continue
        if not told and seen_larger(model.config, image[0]):
            told = True
            warn(
                console,
                f"{job[0]}: seen at its own size, but the training saw images at data.max_side="
                f"{model.config.data.max_side}; things in it look larger than they did there "
                "(docs/large-images.md)",
            )
        yield job, image


def _too_large(job: Job, read: Read, model: Opened) -> str:
    """What is said of an image that takes more memory than there is; empty of others."""
    height, width = read[0].shape[:2]
    try:
        model.predictor.require_memory((height, width))
    except RunError as error:
        return f"{job[0]}: {error}"
    return ""


def seen_larger(config: Config, image: Image) -> bool:
    """Whether an image is seen at its own size, which the training would have made smaller."""
    longest = config.data.max_side
    return config.eval.side is None and longest is not None and max(image.shape[:2]) > longest
