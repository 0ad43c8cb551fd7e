"""Finding images in the user's folders, and saying what is missing.

Stage 1. Existence is checked with one listing per folder, never one file at a time: a listing of
100,000 names takes a fraction of a second even on a network disk. Names are compared in Unicode's
form NFC, since macOS and some archives write accents as characters of their own (NFD).
"""

import os
import unicodedata
from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath

from weclip.system.errors import InputError

AUTO = "auto"
"""In place of a tags file: no tag of the data set is used, since CLIP makes them."""

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff")


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

    In NFC, as the keys of `list_files`.

    >>> image_name("JPEGImages/a.b.JPG"), image_name("a.b")
    ('a.b', 'a.b')
    """
    path = PurePosixPath(file)
    return nfc(path.stem if path.suffix.lower() in IMAGE_SUFFIXES else path.name)


def nfc(name: str) -> str:
    """A name in Unicode's composed form."""
    return unicodedata.normalize("NFC", name)


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
        File name without suffix, in NFC -> path, for every file with one of the lower-case
        `suffixes`.

    Raises:
        InputError: The folder is missing, or two files differ only in their suffix or in NFC.
    """
    files: dict[str, Path] = {}
    for entry in list_names(existing_folder(folder, what)):
        stem, suffix = os.path.splitext(entry)  # noqa: PTH122 (100,000 Path objects are slow)
        if suffix.lower() not in suffixes or entry.startswith("."):
            continue
        stem = nfc(stem)
        if stem in files:
            raise InputError(
                f"{folder}: '{files[stem].name}' and '{entry}' have the same name; keep one of them"
            )
        files[stem] = Path(folder, entry)
    return files


class Listings:
    """Files below a root, found by names that may differ from theirs in the form of Unicode.

    A name means the file of exactly its characters, or else the only one that is equal in NFC.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._names: dict[PurePosixPath, dict[str, list[str]]] = {}
        self._stems: dict[PurePosixPath, dict[str, Path]] = {}
        self._found: dict[PurePosixPath, PurePosixPath] = {}

    def find(self, file: PurePosixPath) -> PurePosixPath:
        """The path on disk that a path relative to the root means; itself if there is none."""
        folder = self._folder(file.parent)
        same = self._listing(folder).get(nfc(file.name), [])
        return folder / (same[0] if len(same) == 1 else file.name)

    def find_image(self, image: PurePosixPath) -> PurePosixPath:
        """As `find`, for an image whose suffix may be left out.

        Raises:
            InputError: It is left out, and files in the folder differ only in theirs.
        """
        if image.suffix.lower() in IMAGE_SUFFIXES:
            return self.find(image)
        folder = self._folder(image.parent)
        if folder not in self._stems:
            path = self.root / folder
            known = list_files(path, "image folder", IMAGE_SUFFIXES) if path.is_dir() else {}
            self._stems[folder] = known
        found = self._stems[folder].get(nfc(image.name))
        return folder / (image.name if found is None else found.name)

    def exists(self, file: PurePosixPath) -> bool:
        """Whether a path on disk, relative to the root, is there."""
        return file.name in self._listing(file.parent).get(nfc(file.name), [])

    def _folder(self, folder: PurePosixPath) -> PurePosixPath:
        if folder not in self._found:
            self._found[folder] = self.find(folder) if folder.parts else folder
        return self._found[folder]

    def _listing(self, folder: PurePosixPath) -> dict[str, list[str]]:
        """NFC -> names."""
        if folder not in self._names:
            names = self._names.setdefault(folder, {})
            for name in list_names(self.root / folder):
                names.setdefault(nfc(name), []).append(name)
        return self._names[folder]


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
