"""The report of predictions: what was found in which image, from the masks in the folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weclip.data.batch import IGNORE_INDEX
from weclip.data.classes import ClassList
from weclip.data.images.reading import PLAIN, Reading
from weclip.data.masks.mask_files import read_mask
from weclip.inference.report.overview import advice
from weclip.inference.report.overview.cards import Section
from weclip.inference.report.overview.classes import class_rows
from weclip.inference.report.overview.page import Overview, write_overview
from weclip.inference.report.overview.scene import Scene, most_doubtful, shares_of
from weclip.system.errors import InputError
from weclip.tasks.report.folder_scenes import Files, panels_of


def write_prediction_report(
    out: Path,
    images: Sequence[tuple[Path, Path]],
    classes: ClassList,
    *,
    command: str,
    confidence: Path | None = None,
    settings: Mapping[str, Any] | None = None,
    reading: Reading = PLAIN,
) -> Path:
    """Write `report.html` and `scenes.csv` of the masks in `out/masks`.

    Args:
        out: Output folder of `weclip predict`.
        images: Image files, and their masks below `out/masks`; those without one are left out.
        classes: The model's class list.
        command: The command that repeats it, quoted.
        confidence: Folder with the confidence of each pixel under the masks' names, 8-bit grey,
            where 255 is 1; None where it was not asked for.
        settings: What the masks were made with, flat.
        reading: How images are read.

    Returns:
        The page.

    Raises:
        WriteError: The disk is full, or the folder cannot be written to.
    """
    names = classes.names_with_background
    files = {
        relative.as_posix(): Files(path, out / "masks" / relative) for path, relative in images
    }
    scenes = most_doubtful(read_scenes(files, len(names), confidence, reading.max_pixels))
    rows = class_rows(scenes, num_classes=len(names), images=None, iou=None)
    found = sum(row.share > 0 for row in rows[1:])
    empty = sum(scene.empty for scene in scenes)
    note = "The lowest confidence comes first." if confidence else "In the order of their names."
    panels = panels_of(files, classes.palette, "prediction", reading)
    page = Overview(
        title=f"Predictions: {out.name or out}",
        lead="What a trained model finds. It is told no tags, and nothing here is scored.",
        headline=[
            ("images", f"{len(scenes):,}", "with a label map"),
            ("classes", str(found), f"found, of {len(classes.names)}"),
            ("empty", f"{empty:,}", "images in which nothing is found"),
        ],
        advice=advice.unsure(scenes),
        data=(),
        rows=rows,
        sections=[Section("Images", note, scenes, panels)],
        scenes=scenes,
        command=command,
        settings=settings or {},
        classes=classes,
    )
    return write_overview(out, page)


def read_scenes(
    files: Mapping[str, Files], num_classes: int, confidence: Path | None, max_pixels: int
) -> list[Scene]:
    """The masks that are there, in numbers; as in `write_prediction_report`."""
    scenes = []
    for name, pair in files.items():
        try:
            ids = read_mask(pair.mask, num_classes=num_classes, max_pixels=max_pixels)
        except InputError:
            continue
        shares, no_data = shares_of(ids)  # a prediction is sure of all else
        scenes.append(
            Scene(
                name=name,
                size=(ids.shape[0], ids.shape[1]),
                shares=shares,
                no_data=no_data,
                confidence=_mean(confidence / name, ids, max_pixels) if confidence else None,
            )
        )
    return scenes


def _mean(path: Path, ids: NDArray[np.uint8], max_pixels: int) -> float | None:
    """The mean confidence in [0, 1] of an image where it has data; None without, or the file."""
    try:
        known = read_mask(path, max_pixels=max_pixels)[ids != IGNORE_INDEX]
    except (InputError, IndexError):  # IndexError: of another size, of an earlier image
        return None
    return float(known.mean()) / 255 if known.size else None
