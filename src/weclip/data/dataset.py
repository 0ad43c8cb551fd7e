"""The door to stage 1: an opened data set in any known layout; its splits are lists of samples.

`read_split` is all that training sees and has no way to a mask; `read_masked_split` is for
evaluation. Images are not decoded here, only checked to exist.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from weclip.data.batch import MaskedImage, TaggedImage
from weclip.data.classes import SHIPPED, ClassList, load_classes, parse_classes
from weclip.data.images.listing import AUTO
from weclip.data.layouts import coco, folder, voc
from weclip.data.layouts.dataset_yaml import Description, describe
from weclip.data.tags.reading import DEFAULT_CHOICE, TagsChoice
from weclip.data.tags.tags_file import read_tag_names
from weclip.system.errors import InputError, did_you_mean

CLASSES_FILE = "classes.yaml"
SHOWN_CLASSES = 12


class Layout(Protocol):
    """What a data set layout provides: a module with these two functions."""

    def read_split(
        self,
        root: str | Path,
        classes: ClassList,
        split: str,
        tags_file: str | Path | None = None,
        choice: TagsChoice = DEFAULT_CHOICE,
    ) -> list[TaggedImage]:
        """Read a split for training."""

    def read_masked_split(
        self,
        root: str | Path,
        classes: ClassList,
        split: str,
        tags_file: str | Path | None = None,
        choice: TagsChoice = DEFAULT_CHOICE,
    ) -> list[MaskedImage]:
        """Read a split for evaluation."""


LAYOUTS: dict[str, Layout] = {"voc": voc, "coco": coco, "folder": folder}


@dataclass(frozen=True)
class Dataset:
    """A data set, made by `open_dataset`.

    Attributes:
        format: Layout: a key of `LAYOUTS`.
        root: Its folder, or its `dataset.yaml`.
        classes: The class list that tags are looked up in.
        tags_file: Tags file in place of the layout's own annotations, if one was given.
        guessed: Where the classes were found if no list gives them, as "the folders in photos".
        choice: How a tags file is read.
    """

    format: str
    root: str | Path
    classes: ClassList
    tags_file: str | Path | None = None
    guessed: str | None = None
    choice: TagsChoice = DEFAULT_CHOICE

    def read_split(self, split: str) -> list[TaggedImage]:
        """Read a split for training: images and tags. No mask folder is touched.

        Raises:
            InputError: Anything missing, unknown or inconsistent; the message names the file.
        """
        layout = LAYOUTS[self.format]
        return layout.read_split(self.root, self.classes, split, self.tags_file, self.choice)

    def read_masked_split(self, split: str) -> list[MaskedImage]:
        """Read a split for evaluation: images, masks and, where there are any, tags.

        Raises:
            InputError: As `read_split`, or there are no masks.
        """
        layout = LAYOUTS[self.format]
        return layout.read_masked_split(self.root, self.classes, split, self.tags_file, self.choice)

    def read_eval_split(self, split: str | None) -> tuple[list[MaskedImage], str | None]:
        """Read the split that training scores on, which it can do without.

        Returns:
            Its samples, none if there is no split or it cannot be used; and why it cannot.
        """
        if split is None:
            return [], None
        try:
            return self.read_masked_split(split), None
        except InputError as error:
            return [], str(error)

    def unlisted_images(self) -> list[str]:
        """Images in the format `folder` that its tags file does not name, in any split.

        The other formats have none to tell: VOC and COCO hold images outside their lists.
        """
        if self.format != "folder":
            return []
        return folder.unlisted_images(self.root, self.classes, self.tags_file, self.choice)

    def note(self) -> str | None:
        """One line for the user on classes that were guessed; None if a list gives them."""
        if self.guessed is None:
            return None
        names = self.classes.names
        shown = ", ".join(names[:SHOWN_CLASSES])
        more = f" and {len(names) - SHOWN_CLASSES} more" if len(names) > SHOWN_CLASSES else ""
        return f"{len(names)} classes, from {self.guessed}: {shown}{more}"


def open_dataset(
    format: str,
    root: str | Path,
    *,
    classes: str | ClassList | None = None,
    tags_file: str | Path | None = None,
    faithful: bool = False,
    choice: TagsChoice = DEFAULT_CHOICE,
) -> Dataset:
    """Open a data set: find its class list. Splits are read later.

    Args:
        format: Layout: `voc`, `coco` or `folder`, see the module of that name.
        root: Folder of the data set; for `folder` also a `dataset.yaml`.
        classes: A list, or its name or file as `load_classes` takes them. None, for `folder`:
            what `dataset.yaml` gives, or else `classes.yaml` beside it, or else the names of the
            class folders or the tags of the tags file, sorted.
        tags_file: CSV or JSONL with tags (see `tags/`), as given or relative to `root`, in place
            of the layout's own annotations. `auto`: images and splits only, no image has a tag.
        faithful: Keep the released code's misspelt prompts.
        choice: How a tags file is read.

    Raises:
        InputError: The format is unknown, or there is no class list and nothing to find one in.
    """
    if format not in LAYOUTS:
        hint = did_you_mean(format, LAYOUTS)
        known = ", ".join(LAYOUTS)
        raise InputError(f"data.format: unknown format '{format}'; known: {known}. {hint}".strip())
    guessed = None
    if isinstance(classes, str):
        classes = load_classes(classes, faithful=faithful)
    if classes is None:
        if format != "folder":
            raise InputError(
                f"data.classes is null, but a data set of format {format} has no class list of "
                f"its own; give data.classes={format}, or a YAML file"
            )
        place = describe(root, None if tags_file == AUTO else tags_file)
        if tags_file == AUTO and place.classes is None and _class_list(place) is None:
            raise InputError(
                f"{place.origin}: no class list, and tags by CLIP (auto) need the names; give "
                f"data.classes=FILE, or list them under 'classes' in {CLASSES_FILE}"
            )
        classes, guessed = _own_classes(place, faithful, choice)
    return Dataset(format, root, classes, tags_file, guessed, choice)


def _own_classes(
    place: Description, faithful: bool, choice: TagsChoice
) -> tuple[ClassList, str | None]:
    """A folder's own class list; and where its names were found, if there is no list."""
    where, guessed, entries = str(place.origin), None, place.classes
    words = {} if place.background_words is None else {"background_words": place.background_words}
    listed = _class_list(place)
    if listed is not None:
        classes = load_classes(listed, faithful=faithful)
        if not words:
            return classes, None
        own = parse_classes({"classes": ["any"], **words}, where)
        return replace(classes, background_words=own.background_words), None
    if entries is None and place.tags is None:
        entries, guessed = folder.class_folders(place), f"the folders in {place.images}"
    elif entries is None and place.tags is not None:
        entries = read_tag_names(place.tags, control=choice.control, untagged=choice.untagged)
        guessed = f"the tags in {place.tags}"
    document = {"classes": entries, **words}
    return parse_classes(document, guessed or where, faithful=faithful), guessed


def _class_list(place: Description) -> str | Path | None:
    """The class list that a description names, or the one beside it, or None."""
    given = place.classes
    if isinstance(given, str):
        if given in SHIPPED or (place.folder / given).is_file():
            return given if given in SHIPPED else place.folder / given
        hint = did_you_mean(given, SHIPPED)
        raise InputError(
            f"{place.origin}: classes: '{given}' is neither a file in {place.folder} nor one of "
            f"{', '.join(SHIPPED)}. {hint}".strip()
        )
    listed = place.folder / CLASSES_FILE
    return listed if given is None and listed.is_file() else None
