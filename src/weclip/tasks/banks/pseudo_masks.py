"""The masks that a bank is filled from: a folder of the user's, or of `weclip label`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from weclip.config import Config, MethodConfig
from weclip.data.batch import TaggedImage
from weclip.data.classes import ClassList
from weclip.system.console import warn
from weclip.system.errors import InputError
from weclip.system.files import at_home, is_output
from weclip.system.untrusted.documents import read_json
from weclip.tasks.evaluate.mask_folders import SHOWN_MISSING, find_files
from weclip.tasks.label.folder import KIND, RECIPE_NAME
from weclip.tasks.label.run import LabelOptions, label
from weclip.tasks.load.for_labels import is_guided, reads_regions

LABELS = "labels"
"""Folder of a run that masks are made in."""

KEY = "method.retrieval.masks"


def pseudo_masks(
    config: Config,
    classes: ClassList,
    images: Sequence[TaggedImage],
    out: Path,
    console: Console,
) -> dict[str, Path]:
    """The mask of each training image, by its name; those without one are told and left out.

    Args:
        config: Resolved configuration; `method.retrieval.masks` names a folder, or masks are made.
        classes: Class list.
        images: The training images.
        out: Run folder.
        console: Where progress is told.

    Raises:
        InputError: There is no such folder, it is of other classes, or has a mask of no image.
    """
    given: str | None = settings(config).masks
    if given is None:
        console.print("making masks of the training images (weclip label)", highlight=False)
        label(of_labels(config), out / LABELS, LabelOptions(resume=True), console=console)
    folder = masks_folder(out / LABELS if given is None else Path(at_home(given)), classes)
    found = find_files(folder, images)
    missing = [image.name for image in images if image.name not in found]
    if not found:
        raise InputError(
            f"{KEY}={folder}: no mask of an image of split '{config.data.train_split}'; a mask has "
            "its image's name, in the same sub-folder, as .png"
        )
    if missing:
        shown = ", ".join(missing[:SHOWN_MISSING])
        warn(console, f"{len(missing)} of {len(images)} images have no mask: {shown}")
    return found


def settings(config: Config) -> Any:
    """The section of the method."""
    return getattr(config.method, "retrieval")  # noqa: B009  (made with the schema)


def of_labels(config: Config) -> Config:
    """The configuration that masks are made with: what is read there, and no more.

    The method does not count there; the one that is named reads CLIP alone.
    """
    config = replace(config, method=replace(config.method, name=MethodConfig().name))
    if not reads_regions(config):
        config = replace(config, regions=replace(config.regions, files=None))
    if is_guided(config):
        return config
    return replace(config, dino=replace(config.dino, weights=None, sha256=None))


def masks_folder(given: Path, classes: ClassList) -> Path:
    """The folder with the masks.

    Raises:
        InputError: There is none, or it is of `weclip label` with other classes.
    """
    if not given.is_dir():
        raise InputError(f"{KEY}={given}: no such folder; make one with weclip label")
    if not is_output(given, KIND):
        return given
    recipe: Mapping[str, Any] = read_json(given / RECIPE_NAME, "recipe")
    names = recipe.get("classes")
    if names != list(classes.names_with_background):
        raise InputError(
            f"{KEY}={given}: made for other classes, or in another order; ids would mean "
            "something else: make the masks again, or give their list with data.classes=FILE"
        )
    return given / "masks"
