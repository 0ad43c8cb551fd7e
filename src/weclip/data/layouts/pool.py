"""All images of a plain folder, before one split of them is asked for.

Stage 1. Whatever tells tags and splits (`tagged_rows.py`, `by_folders.py`) makes a pool; a split is
chosen from it here, by a name, a folder or a ratio.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from weclip.data.batch import TaggedImage
from weclip.data.images.listing import require_files, unknown_split
from weclip.data.images.tree import Tree, scan
from weclip.data.layouts.dataset_yaml import FILE_NAME, TAGS_FILES, Description
from weclip.data.layouts.folder_names import part_of
from weclip.data.layouts.split_names import same_split
from weclip.data.summary import first
from weclip.system.errors import InputError

ONLY_SPLIT = "train"
_TABLES = (".json", ".xml", ".jsonl", ".csv", ".tsv")
RATIO_SPLITS = (ONLY_SPLIT, "val")


@dataclass(frozen=True)
class Placed:
    """An image with the split that it is in.

    Attributes:
        image: The image, which need not exist.
        split: As its row or folder names it; None where nothing does.
        exists: Whether its file is there.
        file: Its path relative to the images' folder.
    """

    image: TaggedImage
    split: str | None
    file: str
    exists: bool = True


@dataclass(frozen=True)
class Pool:
    """All images of a data set, of all splits.

    Attributes:
        images: The images.
        tags: Where their tags come from, for people.
        splits: Where their splits come from, for people; empty if all are one split.
        where: What messages on images start with: the tags file, or the folder.
        left_out: Why something is not in the set -> its names, as they are shown.
        unused: Files of images that are among those left out.
        of_rows: Those of `left_out` that the tags file gives.
        named: Files of images that are left out for a reason that the tags file gives.
    """

    images: Sequence[Placed]
    tags: str
    splits: str
    where: str
    left_out: Mapping[str, Sequence[str]] = field(default_factory=dict)
    unused: Sequence[str] = ()
    of_rows: Mapping[str, Sequence[str]] = field(default_factory=dict)
    named: frozenset[str] = frozenset()

    def names_of_splits(self) -> list[str]:
        """The splits as they are spelt, each once."""
        return sorted({placed.split or ONLY_SPLIT for placed in self.images})


def choose(pool: Pool, place: Description, split: str) -> list[TaggedImage]:
    """The images of one split, all of which exist.

    Raises:
        InputError: There is no such split, images of it are missing, or a ratio meets splits that
            are there already.
    """
    if place.ratio is not None:
        chosen = _share(pool, place, split)
    else:
        chosen = [each for each in pool.images if same_split(split, each.split or ONLY_SPLIT)]
        if not chosen:
            raise unknown_split(split, pool.names_of_splits(), pool.where)
    existing = {each.file for each in chosen if each.exists}
    files = [each.file for each in chosen]
    require_files(files, existing, f"images of {pool.where.rpartition('/')[2]}", str(place.images))
    return [each.image for each in chosen]


def _share(pool: Pool, place: Description, split: str) -> list[Placed]:
    """Those of all images that the described ratio puts into a split."""
    assert place.ratio is not None
    if split not in RATIO_SPLITS:
        raise unknown_split(split, RATIO_SPLITS, str(place.origin))
    given = next((each for each in pool.images if each.split is not None), None)
    if given is not None:
        raise InputError(
            f"{place.origin}: split: {given.file} is in split '{given.split}' by {pool.splits}; "
            "keep one of them"
        )
    val = place.ratio.val_names([each.image.name for each in pool.images])
    chosen = [e for e in pool.images if (e.image.name in val) == (split != ONLY_SPLIT)]
    if not chosen:
        raise InputError(f"{place.origin}: split: one image cannot be split; leave 'split' out")
    return chosen


def no_tags(place: Description, tree: Tree, stray: list[str] | None = None) -> InputError:
    """What to say where nothing tells a tag: what is there, and what would."""
    found = "; ".join(_found(tree, stray or []))
    return InputError(
        f"{place.origin}: no tags{f' ({found})' if found else ''}; give data.tags_file, or put one "
        f"of {', '.join(TAGS_FILES)} there, or name it in {FILE_NAME} under 'tags', or sort the "
        "images into folders named after the classes"
    )


def _found(tree: Tree, stray: list[str]) -> Iterator[str]:
    """What is there in place of tags."""
    tops = sorted({file.split("/")[0] for file in tree.images() if "/" in file})
    parts = [name for name in tops if part_of(name) is not None]
    if parts:
        yield f"{first(parts)}: names of splits or of images, not of classes"
    if tree.skipped:
        yield f"{first(tree.skipped)}: names of masks, labels or the like"
    if stray:
        yield f"{first(stray)}: no class of the list"
    inside = ((folder, scan(tree.root / folder)) for folder in tree.skipped)
    deeper = [f"{folder}/{entry.name}" for folder, entries in inside for entry in entries]
    unread = [file for file in (*tree.files, *deeper) if file.endswith(_TABLES)]
    if unread:
        yield f"nothing reads {first(unread)}"
