"""The report of predictions: what was found in which image, from the masks in the folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from weclip.data.classes import ClassList
from weclip.data.images.decoding import MAX_PIXELS
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
    confidence: Mapping[str, float] | None = None,
    settings: Mapping[str, Any] | None = None,
    max_pixels: int = MAX_PIXELS,
) -> Path:
    """Write `report.html` and `scenes.csv` of the masks in `out/masks`.

    Args:
        out: Output folder of `weclip predict`.
        images: Image files, and their masks below `out/masks`; those without one are left out.
        classes: The model's class list.
        command: The command that repeats it, quoted.
        confidence: Mean best probability in [0, 1] by the mask's path below `masks`, as text;
            unknown for those that are not there.
        settings: What the masks were made with, flat.
        max_pixels: Width times height of the largest image that is decoded.

    Returns:
        The page.

    Raises:
        WriteError: The disk is full, or the folder cannot be written to.
    """
    names, known = classes.names_with_background, confidence or {}
    scenes, files = [], {}
    for path, relative in images:
        name = relative.as_posix()
        try:
            ids = read_mask(out / "masks" / relative, num_classes=len(names), max_pixels=max_pixels)
        except InputError:
            continue
        shares, unsure = shares_of(ids)
        size = (ids.shape[0], ids.shape[1])
        scenes.append(
            Scene(name=name, size=size, shares=shares, unsure=unsure, confidence=known.get(name))
        )
        files[name] = Files(path, out / "masks" / relative)
    ordered = most_doubtful(scenes)
    rows = class_rows(scenes, num_classes=len(names), images=None, iou=None)
    found = sum(row.share > 0 for row in rows[1:])
    empty = sum(scene.empty for scene in scenes)
    how = (
        "Those with the lowest confidence come first." if known else "In the order of their names."
    )
    return write_overview(
        out,
        Overview(
            title=f"Predictions in {out.name or out}",
            lead="What a trained model finds. It is told no tags, and nothing here is scored.",
            headline=[
                ("images", f"{len(scenes):,}", "with a label map"),
                ("classes", str(found), f"found, of {len(classes.names)}"),
                ("empty", f"{empty:,}", "images in which nothing is found"),
            ],
            advice=advice.unsure(scenes),
            data=(),
            rows=rows,
            sections=[
                Section(
                    "Images",
                    how,
                    ordered,
                    panels_of(files, classes.palette, "prediction", max_pixels),
                )
            ],
            scenes=ordered,
            command=command,
            settings=settings or {},
            classes=classes,
        ),
    )
