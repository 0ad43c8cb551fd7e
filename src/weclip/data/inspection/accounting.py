"""Files that nothing reads: every file of a data set is accounted for, or named.

Stage 1, for `weclip check`. A layout says what it reads (`Holdings`); here all files are listed,
and the rest is sorted by what it seems to be.
"""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from posixpath import splitext

from weclip.data.images.file_names import bare_name, nfc
from weclip.data.images.image_kinds import is_image, suffix_of, why_unread
from weclip.data.images.tree import Tree, walk
from weclip.data.layouts.folder_names import part_of
from weclip.data.layouts.split_names import is_split
from weclip.data.summary import Holdings
from weclip.system.files import kind_of
from weclip.system.untrusted.text import shown

_ANNOTATIONS = frozenset(
    ".json .jsonl .ndjson .xml .csv .tsv .parquet .arrow .xlsx .xls .ods .npy .npz .pkl "
    ".pickle .mat .h5 .hdf5 .yaml .yml .names .data .tfrecord .record .sqlite .db".split()
)
_LISTS = frozenset("classes class labels label names categories category tags list obj".split())
_TEXTS = ("readme", "license", "licence", "notice", "copying", "changelog", "citation", "authors")

Identity = tuple[int, int]
"""Device and number of a file."""


def account(holdings: Holdings, known: Iterable[Path] = ()) -> dict[str, list[str]]:
    """All files that nothing reads, by the kind of finding.

    Args:
        holdings: What a layout reads.
        known: Further files that a command reads, such as a class list given by its path.

    Raises:
        InputError: A link leads nowhere, or something is neither file nor folder.
    """
    found: dict[str, list[str]] = {"unlisted_images": [*holdings.unused]}
    rest = _Rest(holdings, {_identity(path) for path in (*holdings.known, *known)} - {None})
    for root in holdings.roots:
        tree = walk(root, lambda folder: folder in holdings.own)
        start = "" if root == Path() else f"{root}/"
        found.setdefault("unusable_names", []).extend(tree.unusable)
        found.setdefault("looping_links", []).extend(tree.loops)
        for file in tree.files:
            if f"{start}{file}" in rest.images:
                continue
            if (kind := rest.kind(root, file)) is not None:
                found.setdefault(kind, []).append(_described(file))
        if root == holdings.roots[0]:
            found.setdefault("orphan_masks", []).extend(_orphans_elsewhere(holdings, root, tree))
    found["left_out_rows"] = [
        f"{name}: {reason}" for reason, names in holdings.left_out.items() for name in names
    ]
    return {kind: sorted(files) for kind, files in found.items() if files}


class _Rest:
    """Tells what a file is that nothing reads."""

    def __init__(self, holdings: Holdings, known: set[Identity | None]) -> None:
        self.holdings = holdings
        self.known = known
        self.images = {*map(str, holdings.images)}
        self.stems = {splitext(path)[0] for path in self.images}

    def kind(self, root: Path, file: str) -> str | None:
        """The kind of finding that a file is, which is no image of the set; None if it is read."""
        path = root / file
        for folder, names in self.holdings.masks.items():
            if path.is_relative_to(folder):
                mask = _is_mask(path.relative_to(folder).as_posix(), names)
                return None if mask else "orphan_masks"
        if self._is_linked_mask(path):
            return None
        if why_unread(file) is not None:
            return "unread_pictures"
        if is_image(file):
            return "other_pictures"
        if _identity(path) in self.known or _is_ours(path):
            return None
        unread = self._is_annotation(path) and not self.holdings.chosen
        return "unread_annotations" if unread else "other_files"

    def _is_linked_mask(self, path: Path) -> bool:
        """Whether a file lies in a mask folder after all, by way of a link."""
        return any(path.resolve().is_relative_to(each.resolve()) for each in self.holdings.masks)

    def _is_annotation(self, path: Path) -> bool:
        """Whether a file seems to say something about images."""
        name, suffix = path.name.lower(), suffix_of(path.name)
        if name.startswith(_TEXTS):
            return False
        if suffix != ".txt":
            return suffix in _ANNOTATIONS
        part = part_of(path.parent.name)
        beside = splitext(str(path))[0] in self.stems
        listed = path.stem.lower() in _LISTS or is_split(path.stem)
        return beside or listed or (part is not None and part.role == "other")


def _identity(path: Path) -> Identity | None:
    """What tells that two paths are one file; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _is_ours(path: Path) -> bool:
    """Whether a file is a record that a command of ours wrote."""
    return path.suffix.lower() == ".json" and kind_of(path) is not None


def _is_mask(file: str, names: frozenset[str]) -> bool:
    """Whether a file in a mask folder is the mask of an image."""
    stem, suffix = splitext(nfc(file))
    return suffix == ".png" and (stem in names or bare_name(stem) in names)


def orphan_masks(holdings: Holdings) -> list[str]:
    """Files in the mask folders that are the mask of no image."""
    return [
        shown(str(folder / file))
        for folder, names in holdings.masks.items()
        if folder.is_dir()
        for file in walk(folder).files
        if not _is_mask(file, names)
    ]


def _orphans_elsewhere(holdings: Holdings, root: Path, tree: Tree) -> list[str]:
    """Masks without an image in mask folders that were not entered."""
    skipped = [root / folder for folder in tree.skipped]
    elsewhere = {
        folder: names
        for folder, names in holdings.masks.items()
        if not folder.is_relative_to(root) or any(map(folder.is_relative_to, skipped))
    }
    return orphan_masks(replace(holdings, masks=elsewhere))


def _described(file: str) -> str:
    why = why_unread(file)
    return shown(file) if why is None else f"{shown(file)}: {why}"
