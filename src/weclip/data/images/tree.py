"""All files below a folder, listed once: what the layouts, `weclip predict` and `weclip check` see.

Stage 1. One rule for links: a link to a file or folder is followed, as if what it leads to lay
there; a link to a folder that it lies in itself is left out. Hidden files, and what systems and
programs put beside images, are passed over. What is neither file nor folder is refused.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from weclip.data.images.image_kinds import is_image
from weclip.system.errors import InputError
from weclip.system.files import RUN_MARKER, kind_of
from weclip.system.untrusted.files import no_file
from weclip.system.untrusted.text import is_usable, shown

_PASSED_OVER = frozenset(
    {"__macosx", "@eadir", "lost+found", "$recycle.bin", "system volume information"}
    | {"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"}
)
Above = tuple[tuple[int, int], ...]
"""Device and number of the folders that a folder lies in, and its own."""

Visit = tuple[str, Above]
"""A folder that is to be listed, by its relative path."""


@dataclass
class Tree:
    """The files below a folder; all paths are relative to it, with `/`, sorted by folder.

    Attributes:
        root: The folder.
        files: Files that can be read, or at least are there.
        unusable: Names that are not UTF-8 or hold control characters, as they are shown.
        loops: Links to a folder that they lie in.
        skipped: Folders that were not entered.
        outputs: Folders that a command of ours wrote.
    """

    root: Path
    files: list[str] = field(default_factory=list)
    unusable: list[str] = field(default_factory=list)
    loops: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)

    def images(self) -> list[str]:
        """The files with the suffix of an image."""
        return [file for file in self.files if is_image(file)]


def walk(root: Path, skip: Callable[[str], bool] = lambda _: False) -> Tree:
    """List all files below a folder.

    Args:
        root: An existing folder.
        skip: Says of a folder's relative path whether it is not entered.

    Raises:
        InputError: A link dangles, something is neither file nor folder, or a folder has the name
            of an image.
    """
    tree = Tree(root)
    waiting: list[Visit] = [("", (_identity(root),))]
    while waiting:  # no recursion: folders may be nested a thousand deep
        waiting += reversed(_enter(tree, *waiting.pop(), skip))
    return tree


def _enter(tree: Tree, inside: str, above: Above, skip: Callable[[str], bool]) -> list[Visit]:
    """List one folder into the tree; the folders in it, to be entered next."""
    folders = []
    entries = scan(tree.root / inside if inside else tree.root)
    if inside and _is_output(tree.root / inside, entries):
        tree.outputs.append(inside)
        return []
    for entry in entries:
        path = f"{inside}/{entry.name}" if inside else entry.name
        if not is_usable(entry.name):
            tree.unusable.append(shown(path))
        elif not is_folder(entry):
            tree.files.append(path)
        elif skip(path):
            tree.skipped.append(path)
        else:
            folders.append((path, entry.is_symlink()))
    entered: list[Visit] = []
    for path, is_link in folders:
        identity = _identity(tree.root / path)
        if is_link and identity in above:
            tree.loops.append(path)
        else:
            entered.append((path, (*above, identity)))
    return entered


def _is_output(folder: Path, entries: list["os.DirEntry[str]"]) -> bool:
    marked = any(entry.name == RUN_MARKER for entry in entries)
    return marked and kind_of(folder / RUN_MARKER) is not None


def _identity(folder: Path) -> tuple[int, int]:
    found = folder.stat()
    return found.st_dev, found.st_ino


def scan(folder: Path) -> list["os.DirEntry[str]"]:
    """What is in a folder, sorted, without what is passed over; InputError if it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            found = [entry for entry in entries if not is_passed_over(entry.name)]
    except OSError as error:
        raise InputError(f"{folder}: cannot be listed ({error.strerror})") from None
    return sorted(found, key=lambda entry: entry.name)


def is_passed_over(name: str) -> bool:
    """Whether a name is hidden, or one that systems and programs put beside images."""
    return name.startswith(".") or name.casefold() in _PASSED_OVER


def is_folder(entry: "os.DirEntry[str]") -> bool:
    """Whether an entry is a folder; otherwise it is a file.

    Raises:
        InputError: It is neither, or a folder with the name of an image.
    """
    if is_file_entry(entry):
        return False
    if not is_image(entry.name) and Path(entry.path).is_dir():
        return True
    raise no_file(Path(entry.path))


def is_file_entry(entry: "os.DirEntry[str]") -> bool:
    """Whether an entry is a file, or a link that leads to one."""
    try:
        return entry.is_file()
    except OSError:  # a link that leads to itself
        return False


def existing_folders(folder: Path) -> Iterator[str]:
    """Names of the folders in a folder that may not be there, sorted; links count."""
    if folder.is_dir():
        for entry in scan(folder):
            if is_usable(entry.name) and not is_file_entry(entry) and Path(entry.path).is_dir():
                yield entry.name


def leads_to(link: Path, folder: Path) -> bool:
    """Whether a link leads to a folder, which need not exist."""
    return folder.exists() and link.samefile(folder)
