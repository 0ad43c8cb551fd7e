"""The folders of `weclip evaluate --masks`: their names, and which masks are in them."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from weclip.data.batch import MaskedImage, MaskLabels, TaggedImage
from weclip.data.images.file_names import bare_name
from weclip.data.images.full_images import EvalDataset
from weclip.data.images.listing import Listings, existing_folder, list_names
from weclip.data.images.reading import Reading
from weclip.data.masks.mask_files import read_mask
from weclip.system.console import warn
from weclip.system.errors import InputError
from weclip.system.files import at_home
from weclip.system.untrusted.documents import read_json
from weclip.system.untrusted.text import short
from weclip.tasks.label.folder import RECIPE_NAME

SHOWN_MISSING = 3
OPTION = "folder of predicted masks (--masks)"

Ids = NDArray[np.uint8]


class Scene(NamedTuple):
    """An image with its true mask, and the files of its predicted masks, one of each folder."""

    sample: MaskedImage
    files: tuple[Path, ...]


class ReadScene(NamedTuple):
    """What `read_scene` reads.

    Attributes:
        truth: (H, W) ids, 255 where a pixel does not count.
        predicted: (H, W) ids of each folder, 255 where unsure.
        image: (H, W, 3) uint8, RGB; None where it was not asked for.
    """

    truth: Ids
    predicted: list[Ids]
    image: NDArray[np.uint8] | None


Compared = tuple[Scene, ReadScene, list[Ids]]
"""A scene, what was read of it, and the masks of each record."""


def named_folders(masks: Sequence[str]) -> dict[str, Path]:
    """Folders by name, from `DIR` or `NAME=DIR` each.

    A folder without a name is called after its last part, or after its parent if that is `masks`.
    An `=` in the path of a folder that is there, or after a `/`, is part of the path.

    Raises:
        InputError: No folder is given, or two have the same name.
    """
    folders: dict[str, Path] = {}
    for text in masks:
        name, equals, folder = text.partition("=")
        if not equals or not name or "/" in name or Path(text).is_dir():
            name, folder = "", text
        if not folder.strip():
            raise InputError(f"--masks '{text}' names no folder; give DIR or NAME=DIR")
        path = Path(at_home(folder))
        name = name or default_name(path)
        if name in folders:
            raise InputError(
                f"--masks {folders[name]} and {path} are both called '{name}'; give them names: "
                "--masks NAME=DIR"
            )
        folders[name] = path
    return folders


def default_name(folder: Path) -> str:
    """What a folder is called in tables.

    >>> default_name(Path("runs/a/masks")), default_name(Path("masks")), default_name(Path("b/c"))
    ('a', 'masks', 'c')
    """
    if folder.name in ("", ".."):
        folder = folder.resolve()
    if folder.name == "masks" and folder.parent.name not in ("", ".."):
        return folder.parent.name
    return folder.name or str(folder)


def require_same_classes(folders: Mapping[str, Path], names: Sequence[str]) -> None:
    """InputError if masks of weclip label have ids of other classes; what is known is compared.

    Args:
        folders: The folders; one called `masks` beside a `label.json` is of weclip label.
        names: Class names with background. A list that goes on where the other ends is no other.
    """
    for folder in folders.values():
        recipe = folder.parent / RECIPE_NAME
        if folder.name != "masks" or not recipe.is_file():
            continue
        found = read_json(recipe, "recipe").get("classes")
        if not isinstance(found, list) or any(a != b for a, b in zip(found, names, strict=False)):
            raise InputError(
                f"--masks {folder}: made by weclip label of other classes, or in another order, "
                f"than those of the data ({short(', '.join(names), 200)}); their ids would mean "
                "something else: give the data, or data.classes, that they were made of"
            )


def find_masks(
    folders: Mapping[str, Path],
    samples: Sequence[MaskedImage],
    console: Console,
    *,
    allow_missing: bool,
) -> tuple[list[Scene], list[str]]:
    """Find the predicted masks of each image.

    Returns:
        Images of which every folder has a mask, and the names of the others.

    Raises:
        InputError: There is no such folder; masks are missing and that is not allowed; or no
            image has a mask in every folder.
    """
    files: list[dict[str, Path]] = []
    for folder in folders.values():
        found = find_files(folder, samples)
        missing = [sample.name for sample in samples if sample.name not in found]
        if missing:
            report_missing(folder, missing, len(found), console, allowed=allow_missing)
        files.append(found)
    scenes, left_out = [], []
    for sample in samples:
        if all(sample.name in found for found in files):
            scenes.append(Scene(sample, tuple(found[sample.name] for found in files)))
        else:
            left_out.append(sample.name)
    if samples and not scenes:
        raise InputError(
            f"no image has a mask in each of the {len(folders)} folders of --masks; score them "
            "one by one"
        )
    return scenes, left_out


def find_files(masks: Path, samples: Sequence[MaskedImage | TaggedImage]) -> dict[str, Path]:
    """The predicted mask of each image that has one, by the image's name."""
    listings = Listings(existing_folder(masks, OPTION))
    bare = _BareNames(masks)
    found = {}
    for sample in samples:
        file = listings.find(PurePosixPath(f"{sample.name}.png"))
        there = file if listings.exists(file) else bare.find(file)
        if there is not None:
            found[sample.name] = masks / there
    return found


class _BareNames:
    """Finds masks of COCO whose names have the prefix of its images, or lack it."""

    def __init__(self, masks: Path) -> None:
        self.masks = masks
        self._files: dict[PurePosixPath, dict[str, list[str]]] = {}

    def find(self, file: PurePosixPath) -> PurePosixPath | None:
        """The only mask in the folder of `file` that has its name but for the prefix.

        Raises:
            InputError: There are several, of years or splits that are not this one's.
        """
        bare = bare_name(file.name)
        if re.fullmatch(r"\d{12}\.png", bare) is None:
            return None
        if file.parent not in self._files:
            names = self._files.setdefault(file.parent, {})
            for name in list_names(self.masks / file.parent):
                names.setdefault(bare_name(name), []).append(name)
        same = self._files[file.parent].get(bare, [])
        if len(same) > 1:
            raise InputError(
                f"{self.masks / file.parent}: {same[0]} and {same[1]} may both be the mask of "
                f"{file.stem}; keep one of them"
            )
        return file.parent / same[0] if same else None


def report_missing(
    masks: Path, missing: Sequence[str], found: int, console: Console, *, allowed: bool
) -> None:
    """Name and count missing masks; InputError unless that is allowed and others are there."""
    named = ", ".join(f"{name}.png" for name in missing[:SHOWN_MISSING])
    more = f" and {len(missing) - SHOWN_MISSING} more" if len(missing) > SHOWN_MISSING else ""
    text = f"{masks}: {len(missing)} of {len(missing) + found} masks are missing: {named}{more}"
    if not found:
        inner = masks / "masks"
        hint = f"; is it {inner}?" if inner.is_dir() else ""
        raise InputError(
            f"{text}; a mask has its image's name, in the same sub-folder, as .png{hint}"
        )
    if not allowed:
        raise InputError(f"{text}; add them, or score those that are there with --allow-missing")
    warn(console, text)


def read_scene(
    scene: Scene, labels: MaskLabels, *, num_classes: int, reading: Reading, with_image: bool
) -> ReadScene:
    """Read the masks of a scene.

    Args:
        scene: The files.
        labels: What ids and colours of predicted masks stand for.
        num_classes: C; ids must be below it or 255.
        reading: How images are read; its `max_pixels` counts for masks too.
        with_image: Whether the image is read too.

    Raises:
        InputError: A file cannot be read, or they differ in size.
    """
    sample = scene.sample
    image, max_pixels = None, reading.max_pixels
    if with_image:
        dataset = EvalDataset([sample], num_classes=num_classes, reading=reading)
        _, image, truth, _ = dataset[0]
    else:
        truth = read_mask(
            sample.mask, labels=sample.labels, num_classes=num_classes, max_pixels=max_pixels
        )
    predicted = []
    for path in scene.files:
        ids = read_mask(path, labels=labels, num_classes=num_classes, max_pixels=max_pixels)
        if ids.shape != truth.shape:
            raise InputError(
                f"{path}: predicted mask is {_size(ids)} but the true one, {sample.mask}, is "
                f"{_size(truth)} (width x height); save predictions at their image's own size"
            )
        predicted.append(ids)
    return ReadScene(truth, predicted, image)


def _size(ids: Ids) -> str:
    return f"{ids.shape[1]} x {ids.shape[0]}"
