"""What a data set is taken to be, in a few lines that every command begins with.

Stage 1. Pure: layouts say where things come from (`Origins`), and what they hold (`Holdings`, for
`weclip check`); here it becomes text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

BY_CLIP = "CLIP (auto)"
SHOWN_CLASSES = 12
SHOWN_NAMES = 3


@dataclass(frozen=True)
class Origins:
    """Where the parts of a data set come from, for people.

    Attributes:
        images: The folder of the images.
        tags: A file, folders, or CLIP.
        splits: A column, folders, lists or a ratio; empty where all images are one split.
        masks: The folder of masks, whether it is there or not.
        left_out: Why something is not in the set -> its names.
    """

    images: str
    tags: str
    splits: str
    masks: str
    left_out: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Holdings:
    """Which files of a data set something reads; all others are named by `weclip check`.

    Attributes:
        roots: The folders whose files are accounted for.
        images: Images of all splits, whether a command reads them or not.
        unused: Images that are in no split; None where a layout holds such on purpose.
        masks: Folder of masks -> names in NFC, without suffix, of the images that may have one
            there, relative to it.
        known: Further files that are read: tags files, descriptions, lists.
        own: Folders, relative to a root, all of whose files belong to the layout.
        left_out: Why the tags file leaves something out -> its names.
        chosen: Whether the tags file was named, so that others are not read on purpose.
    """

    roots: tuple[Path, ...]
    images: frozenset[Path] = frozenset()
    unused: tuple[str, ...] = ()
    masks: Mapping[Path, frozenset[str]] = field(default_factory=dict)
    known: frozenset[Path] = frozenset()
    own: frozenset[str] = frozenset()
    chosen: bool = False
    left_out: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class SplitCount:
    """What a command reads of one split.

    Attributes:
        split: Its name.
        images: Number of images.
        without_tags: How many of them have no tag; None where tags are not read.
        masks: How many have masks; None if they are not looked for.
    """

    split: str
    images: int
    without_tags: int | None = None
    masks: int | None = None


def understood(
    root: str | Path, counts: Sequence[SplitCount], classes: str, origins: Origins
) -> list[str]:
    """The lines: images, classes, and what was left out, if anything was.

    >>> origins = Origins("photos", "photos/tags.csv", "", "photos/masks", {"links": ["a", "b"]})
    >>> for line in understood("photos", [SplitCount("train", 8, 1)], "1 class: dog", origins):
    ...     print(line)
    photos: 8 images in train (1 without tags); tags from photos/tags.csv; no masks are read
    1 class: dog
    left out: links: 2 (a, b)
    """
    parts = [f"{root}: {', '.join(map(_count, counts))}"]
    if origins.images != str(root):
        parts.append(f"images from {origins.images}")
    parts.append(f"tags from {origins.tags}")
    if origins.splits:
        parts.append(f"splits from {origins.splits}")
    masked = any(count.masks is not None for count in counts)
    parts.append(f"masks from {origins.masks}" if masked else "no masks are read")
    return ["; ".join(parts), classes, *left_out_line(origins.left_out)]


def _count(count: SplitCount) -> str:
    text = f"{_number(count.images, 'image')} in {count.split}"
    notes = []
    if count.without_tags:
        notes.append(f"{count.without_tags} without tags")
    if count.masks is not None:
        share = "all" if count.masks == count.images else str(count.masks)
        notes.append(f"{share} with masks")
    return f"{text} ({', '.join(notes)})" if notes else text


def classes_line(names: Sequence[str], source: str) -> str:
    """How many classes, where their names come from, and the first of them.

    >>> classes_line(["cat", "dog"], "the folders in photos")
    '2 classes, from the folders in photos: cat, dog'
    """
    return (
        f"{_number(len(names), 'class', 'classes')}, from {source}: {first(names, SHOWN_CLASSES)}"
    )


def left_out_line(left_out: Mapping[str, Sequence[str]]) -> list[str]:
    """One line on what is not in the set, or none."""
    given = {reason: names for reason, names in left_out.items() if names}
    parts = [f"{reason}: {len(names)} ({first(names)})" for reason, names in given.items()]
    return [f"left out: {'; '.join(parts)}"] if parts else []


def first(names: Sequence[str], count: int = SHOWN_NAMES) -> str:
    """The first names, and how many more there are.

    >>> first(["a", "b", "c", "d"])
    'a, b, c and 1 more'
    """
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return f"{', '.join(names[:count])}{more}"


def _number(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"
