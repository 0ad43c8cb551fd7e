"""Finding images in the user's folders, and saying what is missing.

Stage 1. Existence is checked with one listing per folder, never one file at a time: a listing of
100,000 names takes a fraction of a second even on a network disk. `file_names.py` says how names
are compared, `tree.py` what is passed over.
"""

import os
from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath

from weclip.data.images.file_names import nfc, require_usable
from weclip.data.images.image_kinds import IMAGE_SUFFIXES, is_image
from weclip.data.images.tree import is_file_entry, scan
from weclip.system.errors import InputError
from weclip.system.untrusted.files import is_file, is_folder, no_file
from weclip.system.untrusted.text import is_usable, shown

AUTO = "auto"
"""In place of a tags file: no tag of the data set is used, since CLIP makes them."""


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
        if is_folder(folder / marker):
            return folder
    raise InputError(
        f"{root}: no {layout} data set here: expected the folder {marker} in it or in "
        f"{' or '.join(inside)}; set data.root to the folder that holds it"
    )


def existing_folder(folder: str | Path, what: str) -> Path:
    """Return `folder` as a path; InputError if there is no such folder."""
    require_usable(folder)
    if not is_folder(Path(folder)):
        raise InputError(f"{folder}: {what} not found; it must be an existing folder")
    return Path(folder)


def find_tags_file(tags_file: str | Path, root: str | Path) -> Path:
    """Return `tags_file` as given or, if that does not exist, relative to the data root."""
    candidates = (Path(tags_file), Path(root) / tags_file)
    require_usable(tags_file)
    for path in candidates:
        if is_file(path):
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
    return nfc(path.stem if is_image(file) else path.name)


def list_names(folder: Path) -> list[str]:
    """Return the sorted names in a folder that can be used; none if there is no such folder."""
    try:
        names = os.listdir(folder)  # noqa: PTH208 (names only: Path objects are slow)
        return sorted(filter(is_usable, names))
    except (FileNotFoundError, NotADirectoryError, ValueError):  # the last for a NUL in the name
        return []


def list_files(folder: str | Path, what: str, suffixes: Collection[str]) -> dict[str, Path]:
    """List a folder's files once.

    Returns:
        File name without suffix, in NFC -> path, for every file with one of the lower-case
        `suffixes`.

    Raises:
        InputError: The folder is missing, two files differ only in their suffix or in NFC, or
            something with such a suffix is no file.
    """
    files: dict[str, Path] = {}
    for entry in scan(existing_folder(folder, what)):
        stem, suffix = os.path.splitext(entry.name)  # noqa: PTH122 (100,000 Path objects are slow)
        if suffix.lower() not in suffixes or not is_usable(entry.name):
            continue
        stem = nfc(stem)
        if stem in files:
            raise InputError(
                f"{folder}: '{files[stem].name}' and '{entry.name}' have the same name; keep one "
                "of them"
            )
        if not is_file_entry(entry):
            raise no_file(Path(entry.path))
        files[stem] = Path(folder, entry.name)
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
        self._no_files: set[PurePosixPath] = set()
        self._exact: dict[str, set[str]] = {}

    def find(self, file: PurePosixPath) -> PurePosixPath:
        """The path on disk that a path relative to the root means; itself if there is none."""
        folder = self._folder(file.parent)
        same = self._listing(folder).get(nfc(file.name), [])
        return folder / (same[0] if len(same) == 1 else file.name)

    def find_image(self, image: PurePosixPath) -> PurePosixPath:
        """As `find`, for an image whose suffix may be left out.

        Raises:
            InputError: It is left out, and files in the folder differ only in theirs; or what is
                there is no file.
        """
        if is_image(image.name):
            found = self.find(image)
            if self.exists(found):
                return found
        folder = self._folder(image.parent)
        if folder not in self._stems:
            path = self.root / folder
            known = list_files(path, "image folder", IMAGE_SUFFIXES) if is_folder(path) else {}
            self._stems[folder] = known
        file = self._stems[folder].get(nfc(image.name))
        return folder / (image.name if file is None else file.name)

    def has(self, file: str) -> bool:
        """Whether a file of exactly this path is there; quick, for the many that are.

        Raises:
            InputError: Something is there that is no file.
        """
        folder, _, name = file.rpartition("/")
        if folder not in self._exact:
            where = PurePosixPath(folder)
            self._exact[folder] = {n for names in self._listing(where).values() for n in names}
        there = name in self._exact[folder]
        if there and self._no_files and PurePosixPath(file) in self._no_files:
            raise no_file(self.root / file)
        return there

    def exists(self, file: PurePosixPath) -> bool:
        """Whether a path on disk, relative to the root, is there; InputError if it is no file."""
        there = file.name in self._listing(file.parent).get(nfc(file.name), [])
        if there and file in self._no_files:
            raise no_file(self.root / file)
        return there

    def _folder(self, folder: PurePosixPath) -> PurePosixPath:
        if folder not in self._found:
            self._found[folder] = self.find(folder) if folder.parts else folder
        return self._found[folder]

    def _listing(self, folder: PurePosixPath) -> dict[str, list[str]]:
        """NFC -> names."""
        if folder not in self._names:
            names = self._names.setdefault(folder, {})
            for entry in self._entries(folder):
                names.setdefault(nfc(entry.name), []).append(entry.name)
                if not is_file_entry(entry):
                    self._no_files.add(folder / entry.name)
        return self._names[folder]

    def _entries(self, folder: PurePosixPath) -> list["os.DirEntry[str]"]:
        """What is in a folder; nothing if there is no such folder."""
        path = self.root / folder
        try:
            return [e for e in scan(path) if is_usable(e.name)] if is_folder(path) else []
        except ValueError:  # a NUL in the name
            return []


def require_files(names: Sequence[str], files: Collection[str], what: str, where: str) -> None:
    """Raise InputError if a name has no file: how many, where they were sought, and the first."""
    missing = [name for name in names if name not in files]
    if missing:
        hint = "; separate folders by /" if "\\" in missing[0] else ""
        raise InputError(
            f"{where}: {len(missing)} of {len(names)} {what} missing, the first is "
            f"'{shown(missing[0])}'{hint}"
        )


def unknown_split(split: str, available: Collection[str], where: str) -> InputError:
    """Build the error for a split that a data set does not have."""
    listed = ", ".join(sorted(available)) or "none"
    return InputError(f"{where}: no split '{split}'; available: {listed}")
