"""Finding images in the user's folders, and saying what is missing.

Stage 1. Existence is checked with one listing per folder, never one file at a time: a listing of
100,000 names takes a fraction of a second even on a network disk.
"""

import os
from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath

from weclip.errors import InputError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


def find_root(root: str | Path, inside: Sequence[str], marker: str, layout: str) -> Path:
    """Return the first of `root` and its sub-folders `inside` that contains the folder `marker`.

    Args:
        root: The folder that the user gave.
        inside: Sub-folders that may hold the data set, such as `VOCdevkit/VOC2012`.
        marker: A folder that every data set of this layout has.
        layout: The layout's name, for the message.

    Raises:
        InputError: `root` is no folder, or nothing in it has the layout.
    """
    root = existing_folder(root, "data root")
    for folder in (root, *(root / name for name in inside)):
        if (folder / marker).is_dir():
            return folder
    raise InputError(
        f"{root}: no {layout} data set here: expected the folder {marker} in it or in "
        f"{' or '.join(inside)}; set data.root to the folder that holds it"
    )


def existing_folder(folder: str | Path, what: str) -> Path:
    """Return `folder` as a path; InputError if there is no such folder."""
    if not Path(folder).is_dir():
        raise InputError(f"{folder}: {what} not found; it must be an existing folder")
    return Path(folder)


def find_tags_file(tags_file: str | Path, root: str | Path) -> Path:
    """Return `tags_file` as given or, if that does not exist, relative to the data root."""
    candidates = (Path(tags_file), Path(root) / tags_file)
    for path in candidates:
        if path.is_file():
            return path
    raise InputError(
        f"tags file '{tags_file}' not found, neither as given nor in the data root {root}"
    )


def image_name(file: str) -> str:
    """Drop the folder and a known image suffix: the name that split lists and tags files share.

    >>> image_name("JPEGImages/a.b.JPG"), image_name("a.b")
    ('a.b', 'a.b')
    """
    path = PurePosixPath(file)
    return path.stem if path.suffix.lower() in IMAGE_SUFFIXES else path.name


def is_image(file: str) -> bool:
    """Whether a file name has the suffix of an image."""
    return PurePosixPath(file).suffix.lower() in IMAGE_SUFFIXES


def list_names(folder: Path) -> list[str]:
    """Return the sorted names in a folder; none if there is no such folder."""
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 (names only: Path objects are slow)
    except (FileNotFoundError, NotADirectoryError, ValueError):  # the last for a NUL in the name
        return []


def list_files(folder: str | Path, what: str, suffixes: Collection[str]) -> dict[str, Path]:
    """List a folder's files once.

    Returns:
        File name without suffix -> path, for every file with one of the lower-case `suffixes`.

    Raises:
        InputError: The folder is missing, or two files differ only in their suffix.
    """
    files: dict[str, Path] = {}
    for entry in list_names(existing_folder(folder, what)):
        stem, suffix = os.path.splitext(entry)  # noqa: PTH122 (100,000 Path objects are slow)
        if suffix.lower() not in suffixes or entry.startswith("."):
            continue
        if stem in files:
            raise InputError(
                f"{folder}: '{files[stem].name}' and '{entry}' have the same name; keep one of them"
            )
        files[stem] = Path(folder, entry)
    return files


def require_files(names: Sequence[str], files: Collection[str], what: str, where: str) -> None:
    """Raise InputError if a name has no file: how many, where they were sought, and the first."""
    missing = [name for name in names if name not in files]
    if missing:
        hint = "; separate folders by /" if "\\" in missing[0] else ""
        raise InputError(
            f"{where}: {len(missing)} of {len(names)} {what} missing, the first is "
            f"'{missing[0]}'{hint}"
        )


def unknown_split(split: str, available: Collection[str], where: str) -> InputError:
    """Build the error for a split that a data set does not have."""
    listed = ", ".join(sorted(available)) or "none"
    return InputError(f"{where}: no split '{split}'; available: {listed}")
