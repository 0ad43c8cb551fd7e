"""`weclip predict`: label maps of any images as palette PNGs, and overlays on request."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from weclip.build import build_predictor
from weclip.data.masks.mask_files import save_mask
from weclip.inference.image_files import collect_images
from weclip.inference.segmenter import as_rgb
from weclip.inference.stream import Writer, predict_stream, read_ahead
from weclip.inference.visualize import overlay
from weclip.system.console import QUIET
from weclip.system.distributed import connect, own_part
from weclip.system.files import (
    RUN_MARKER,
    claim_folder,
    require_outside,
    write_atomically,
    write_json,
)
from weclip.system.provenance import versions
from weclip.tasks.datasets import tell_lines
from weclip.tasks.load import ModelAt, default_device
from weclip.training.runlog import progress_bar

KIND = "prediction"


def predict(
    model_at: ModelAt,
    inputs: Sequence[str],
    out: Path,
    *,
    console: Console = QUIET,
    overlays: bool = False,
    overwrite: bool = False,
) -> int:
    """Segment images and write `out/masks/**.png`, and `out/overlays/**.png` if asked.

    Args:
        model_at: The model.
        inputs: Image files, folders (sub-folders are kept) or patterns.
        out: Output folder.
        console: Where progress is shown; by default nowhere.
        overlays: Also write each image with its label map painted over it.
        overwrite: Replace an earlier output in `out`.

    Returns:
        Number of images, of all processes together.
    """
    collected = collect_images(inputs)
    tell_lines(collected.understood(inputs), console)
    images = collected.files
    require_outside(out, (path for path, _ in images))
    model = model_at.open()
    predictor = build_predictor(model.config, model.method.to(default_device()))
    palette, limit = model.file.classes.palette, model.config.data.max_pixels
    place = connect()
    if place.is_main_process:
        claim_folder(out, KIND, overwrite=overwrite)
        write_json(out / RUN_MARKER, {"kind": KIND, "versions": versions()})
    place.wait_for_everyone()
    own = own_part(images)
    with progress_bar(console) as progress, Writer() as writer:
        task = progress.add_task("predicting", total=len(own), status="")
        read = read_ahead(own, lambda file: as_rgb(file[0], max_pixels=limit))
        pictures = (((relative, image), image) for (_, relative), image in read)
        for (relative, image), label_map in predict_stream(predictor, pictures):
            writer(save_mask, label_map, out / "masks" / relative, palette)
            if overlays:
                writer(write_overlay, image, label_map, out / "overlays" / relative, palette)
            progress.advance(task)
    place.wait_for_everyone()
    return len(images)


def write_overlay(
    image: NDArray[np.uint8], label_map: NDArray[np.uint8], path: Path, palette: NDArray[np.uint8]
) -> None:
    """Paint a label map over its image; the file appears whole or not at all."""
    picture = overlay(image, label_map, palette=palette)
    write_atomically(path, lambda temporary: picture.save(temporary, format="PNG"))
