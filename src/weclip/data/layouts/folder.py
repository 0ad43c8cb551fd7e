"""A plain folder of images with tags: the least that training needs.

Stage 1. Where everything is: `dataset_yaml.py`. Tags are told by a tags file, by one in the folder
of each split (`tagged_rows.py`), or by folders named after classes (`by_folders.py`). A column
`split`, folders such as `train/` and `val/`, or a ratio tell the split; otherwise all is `train`.
Where CLIP makes the tags (`auto`), these only tell images and splits.
For evaluation, `masks/<image without suffix>.png` may hold masks, of some images or all.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from posixpath import splitext

from weclip.data.batch import MaskedImage, TaggedImage
from weclip.data.classes import CLASSES_FILE, ClassList
from weclip.data.images.file_names import nfc
from weclip.data.images.listing import AUTO, Listings, existing_folder
from weclip.data.layouts.by_folders import (
    image_tree,
    left_out_of,
    pool_of_all,
    pool_of_class_folders,
)
from weclip.data.layouts.dataset_yaml import FILE_NAME, Description, describe
from weclip.data.layouts.folder_names import part_of
from weclip.data.layouts.pool import RATIO_SPLITS, Pool, choose
from weclip.data.layouts.tagged_rows import pool_of_rows, read_table, read_untagged_table
from weclip.data.masks.mask_labels import mask_labels, parse_mask_labels
from weclip.data.summary import BY_CLIP, Holdings, Origins
from weclip.data.tags.reading import DEFAULT_CHOICE, TagsChoice, refuse_control
from weclip.system.errors import InputError

UNLISTED = "images that the tags file does not name"
UNREAD = "tags files that could not tell images and splits"
NO_IMAGE = "rows of the tags file without their image"


@dataclass(frozen=True)
class Folder:
    """A plain folder as data set.

    Attributes:
        root: The folder, or its description.
        classes: The class list that tags are looked up in.
        tags_file: Tags file in place of the described one, or `auto`.
        choice: How a tags file is read.
    """

    root: str | Path
    classes: ClassList
    tags_file: str | Path | None = None
    choice: TagsChoice = DEFAULT_CHOICE

    @cached_property
    def place(self) -> Description:
        """Where its parts are."""
        return describe(self.root, None if self.tags_file == AUTO else self.tags_file)

    @cached_property
    def pool(self) -> Pool:
        """All its images."""
        if self.tags_file == AUTO:
            return _untagged(self.place, self.choice)
        if self.place.tables:
            tables = [
                read_table(path, self.classes, self.place, self.choice)
                for path in self.place.tables
            ]
            return _with_unlisted(pool_of_rows(self.place, tables), self.place)
        refuse_control(self.choice, self.place.origin, "a data set whose folders tell the tags")
        return pool_of_class_folders(self.place, self.classes)

    def read_split(self, split: str) -> list[TaggedImage]:
        """Read the images and tags of one split, in the file's order; no mask folder is touched.

        Raises:
            InputError: The root, tags file, split or an image is missing, or a tag is unknown.
        """
        return choose(self.pool, self.place, split)

    def read_masked_split(self, split: str) -> list[MaskedImage]:
        """Read those images of one split that have a mask, in the file's order.

        Raises:
            InputError: As `read_split`, or there is no mask folder or no mask in it.
        """
        samples = self.read_split(split)
        auto, place = self.tags_file == AUTO, self.place
        masks = existing_folder(place.masks, "mask folder")
        labels = mask_labels(self.classes)
        if place.mask_labels is not None:
            where = f"{place.origin}: mask_labels"
            labels = parse_mask_labels(place.mask_labels, self.classes, where)
        listings = Listings(masks)
        found = [(sample, _find_mask(sample.name, listings)) for sample in samples]
        masked = [
            MaskedImage(s.name, s.path, masks / mask, None if auto else s.tags, labels)
            for s, mask in found
            if mask is not None
        ]
        if not masked:
            raise InputError(
                f"{masks}: no mask for any of the {len(samples)} images of split '{split}', "
                f"expected for example {samples[0].name}.png"
            )
        return masked

    def origins(self, split: str) -> Origins:
        """Where its parts come from, for people."""
        place, pool = self.place, self.pool
        splits = f"{pool.splits} ({', '.join(pool.names_of_splits())})" if pool.splits else ""
        if place.ratio is not None:
            splits = f"the ratio in {place.origin} ({', '.join(RATIO_SPLITS)})"
        return Origins(str(place.images), pool.tags, splits, str(place.masks), pool.left_out)

    def holdings(self) -> Holdings:
        """Which of its files something reads."""
        place, pool = self.place, self.pool
        own = [each.image.name for each in pool.images]
        names = [*own, *(splitext(file)[0] for file in pool.unused)]
        unused = [file for file in pool.unused if file not in pool.named]
        known = [*place.tables, place.folder / FILE_NAME, place.folder / CLASSES_FILE, place.origin]
        if isinstance(place.classes, str):
            known.append(place.folder / place.classes)
        apart = not place.images.is_relative_to(place.folder)
        return Holdings(
            (place.folder, place.images) if apart else (place.folder,),
            images=frozenset(place.images / f for f in (*_files(pool), *pool.unused)),
            unused=tuple(unused),
            masks={
                place.masks: frozenset(nfc(each) for name in names for each in mask_names(name))
            },
            known=frozenset(known),
            left_out=pool.of_rows,
            chosen=place.chosen,
        )


def mask_names(name: str) -> tuple[str, ...]:
    """Where the mask of an image may lie in the mask folder, without suffix.

    >>> mask_names("beach/1"), mask_names("images/val/1")
    (('beach/1',), ('images/val/1', 'val/1'))
    """
    *folders, last = name.split("/")
    parts = [(folder, part_of(folder)) for folder in folders]
    bare = [f for f, part in parts if part is None or part.role is None or part.split is not None]
    shorter = "/".join((*bare, last))
    return (name,) if shorter == name else (name, shorter)


def _find_mask(name: str, listings: Listings) -> PurePosixPath | None:
    """The mask of an image, relative to the mask folder; None if it has none."""
    files = [listings.find(PurePosixPath(f"{each}.png")) for each in mask_names(name)]
    return next((file for file in files if listings.exists(file)), None)


def _files(pool: Pool) -> list[str]:
    return [each.file for each in pool.images]


def _untagged(place: Description, choice: TagsChoice) -> Pool:
    """Images and splits, where no tag is used: as tags files name them, if they can be read."""
    unread: dict[str, list[str]] = {}
    if place.tables:
        try:
            tables = [read_untagged_table(path, place, choice) for path in place.tables]
            pool = pool_of_rows(place, tables)
        except InputError:
            unread = {UNREAD: [str(path) for path in place.tables]}
        else:
            there = [each for each in pool.images if each.exists]
            if there:
                gone = {NO_IMAGE: [each.file for each in pool.images if not each.exists]}
                rows = {**pool.of_rows, **gone}
                pool = replace(pool, images=there, left_out=rows, of_rows=rows, tags=BY_CLIP)
                return _with_unlisted(pool, place)
            unread = {NO_IMAGE: _files(pool)}
    pool = pool_of_all(place)
    return replace(pool, left_out={**pool.left_out, **unread}, of_rows=unread)


def _with_unlisted(pool: Pool, place: Description) -> Pool:
    """The pool, with what the tags file does not name among what is left out."""
    tree = image_tree(place)
    listed = {*_files(pool)}
    unused = sorted(file for file in tree.images() if file not in listed)
    unlisted = {UNLISTED: [file for file in unused if file not in pool.named]}
    left_out = {**pool.left_out, **unlisted, **left_out_of(tree)}
    return replace(pool, left_out=left_out, unused=unused)
