"""The door to stage 1: an opened data set in any known layout; its splits are lists of samples.

`read_split` is all that training sees and has no way to a mask; `read_masked_split` is for
evaluation. Images are not decoded here, only checked to exist.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol

from weclip.data.batch import MaskedImage, TaggedImage
from weclip.data.classes import CLASSES_FILE, SHIPPED, ClassList, load_classes, parse_classes
from weclip.data.images.listing import AUTO
from weclip.data.layouts.by_folders import class_folders, deeper_folders
from weclip.data.layouts.coco import Coco
from weclip.data.layouts.dataset_yaml import Description, describe
from weclip.data.layouts.folder import Folder
from weclip.data.layouts.voc import Voc
from weclip.data.summary import Holdings, Origins, SplitCount, classes_line, understood
from weclip.data.tags.reading import DEFAULT_CHOICE, TagsChoice
from weclip.data.tags.tags_file import read_tag_names
from weclip.system.errors import InputError, did_you_mean
from weclip.system.untrusted.files import is_file


class Layout(Protocol):
    """An opened data set of one layout; made of its root, class list and tags file."""

    def read_split(self, split: str) -> list[TaggedImage]:
        """Read a split for training."""

    def read_masked_split(self, split: str) -> list[MaskedImage]:
        """Read a split for evaluation."""

    def origins(self, split: str) -> Origins:
        """Say where its parts come from, for a split."""

    def holdings(self) -> Holdings:
        """Say which of its files something reads."""


class MakeLayout(Protocol):
    """What makes a layout."""

    def __call__(
        self,
        root: str | Path,
        classes: ClassList,
        tags_file: str | Path | None = None,
        choice: TagsChoice = DEFAULT_CHOICE,
    ) -> Layout:
        """Open it; nothing is read yet."""


LAYOUTS: dict[str, MakeLayout] = {"voc": Voc, "coco": Coco, "folder": Folder}


@dataclass(frozen=True)
class Dataset:
    """A data set, made by `open_dataset`. Each split is read once.

    Attributes:
        format: Layout: a key of `LAYOUTS`.
        root: Its folder, or its `dataset.yaml`.
        classes: The class list that tags are looked up in.
        tags_file: Tags file in place of the layout's own annotations, if one was given.
        source: Where the names of the classes come from, for people.
        guessed: Whether no list gives them, so that they are what folders or tags hold.
        choice: How a tags file is read.
        tags_from: What is said of where tags are from; None: what the layout says.
    """

    format: str
    root: str | Path
    classes: ClassList
    tags_file: str | Path | None = None
    source: str = "the class list"
    guessed: bool = False
    choice: TagsChoice = DEFAULT_CHOICE
    tags_from: str | None = None

    @cached_property
    def layout(self) -> Layout:
        """What reads it."""
        return LAYOUTS[self.format](self.root, self.classes, self.tags_file, self.choice)

    @cached_property
    def _splits(self) -> dict[str, list[TaggedImage]]:
        return {}

    @cached_property
    def _masked(self) -> dict[str, list[MaskedImage]]:
        return {}

    def read_split(self, split: str) -> list[TaggedImage]:
        """Read a split for training: images and tags. No mask folder is touched.

        Raises:
            InputError: Anything missing, unknown or inconsistent; the message names the file.
        """
        if split not in self._splits:
            self._splits[split] = self.layout.read_split(split)
        return list(self._splits[split])

    def read_masked_split(self, split: str) -> list[MaskedImage]:
        """Read a split for evaluation: images, masks and, where there are any, tags.

        Raises:
            InputError: As `read_split`, or there are no masks.
        """
        if split not in self._masked:
            self._masked[split] = self.layout.read_masked_split(split)
        return list(self._masked[split])

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

    def doubts(self) -> dict[str, list[str]]:
        """What may have been meant otherwise, by the kind of finding of `weclip check`."""
        if self.format != "folder" or not self.guessed:
            return {}
        place = describe(self.root, self.tags_file)
        return {} if place.tables else {"deeper_folders": deeper_folders(place)}

    def understood(self, train: str | None, scored: str | None) -> list[str]:
        """What it is taken to be, in two or three lines.

        Args:
            train: The split that is read for its tags, if one is.
            scored: The split that is read for its masks, if one is; training goes on without.

        Raises:
            InputError: As `read_split`.
        """
        counts = []
        if train is not None:
            images = self.read_split(train)
            bare = None if self.tags_file == AUTO else sum(not each.tags for each in images)
            counts.append(SplitCount(train, len(images), bare))
        masked, reason = self.read_eval_split(scored)
        if scored is not None and reason is not None and train is None:
            raise InputError(reason)
        if scored is not None and reason is None:
            all_images = self.read_split(scored) if self.format == "folder" else masked
            counts.append(SplitCount(scored, len(all_images), masks=len(masked)))
        origins = self.layout.origins(scored or train or "")
        if self.tags_from is not None:
            origins = replace(origins, tags=self.tags_from)
        classes = classes_line(self.classes.names, self.source)
        return understood(self.root, counts, classes, origins)


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
    source, guessed = "the class list", False
    if isinstance(classes, str):
        source = f"the class list {classes}"
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
                f"{place.origin}: no class list, and tags by CLIP (auto), or labels without tags, "
                "need the names; give data.classes=FILE, or list them under 'classes' in "
                f"{CLASSES_FILE}"
            )
        classes, source, guessed = _own_classes(place, faithful, choice)
    return Dataset(format, root, classes, tags_file, source, guessed, choice)


def _own_classes(
    place: Description, faithful: bool, choice: TagsChoice
) -> tuple[ClassList, str, bool]:
    """A folder's own class list; where its names are from, and whether that is no list."""
    words = {} if place.background_words is None else {"background_words": place.background_words}
    listed = _class_list(place)
    if listed is not None:
        classes, source = load_classes(listed, faithful=faithful), f"the class list {listed}"
        if not words:
            return classes, source, False
        own = parse_classes({"classes": ["any"], **words}, str(place.origin))
        return replace(classes, background_words=own.background_words), source, False
    entries, source = place.classes, str(place.origin)
    if entries is None and not place.tables:
        entries, source = class_folders(place), f"the folders in {place.images}"
    elif entries is None:
        entries, source = _tag_names(place.tables, choice), f"the tags in {_files(place.tables)}"
    document = {"classes": entries, **words}
    guessed = place.classes is None
    return parse_classes(document, source, faithful=faithful), source, guessed


def _tag_names(tables: Sequence[Path], choice: TagsChoice) -> list[str]:
    """The names that tags files use, sorted; a file of a split may have none."""
    found: set[str] = set()
    first_error = None
    for path in tables:
        try:
            found |= {*read_tag_names(path, control=choice.control, untagged=choice.untagged)}
        except InputError as error:  # one that cannot be read at all ends the reading of rows
            first_error = first_error or error
    if not found and first_error is not None:
        raise first_error
    return sorted(found)


def _files(tables: Sequence[Path]) -> str:
    return ", ".join(map(str, tables))


def _class_list(place: Description) -> str | Path | None:
    """The class list that a description names, or the one beside it, or None."""
    given = place.classes
    if isinstance(given, str):
        if given in SHIPPED or is_file(place.folder / given):
            return given if given in SHIPPED else place.folder / given
        hint = did_you_mean(given, SHIPPED)
        raise InputError(
            f"{place.origin}: classes: '{given}' is neither a file in {place.folder} nor one of "
            f"{', '.join(SHIPPED)}. {hint}".strip()
        )
    listed = place.folder / CLASSES_FILE
    return listed if given is None and is_file(listed) else None
