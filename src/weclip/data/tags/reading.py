"""What every reader of tags gives, before class names are looked up and files are sought.

Stage 1. Readers know one format each. They name tags as the file does, say what they left out and
why, and guess nothing: what a file does not say in so many words is refused, or left out by name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from weclip.system.errors import InputError
from weclip.system.untrusted.text import short

UNTAGGED = ("background",)
"""What `data.untagged` may be, beside null."""

NOTHING = "background"
"""A tag that says that nothing is in the image, unless a class has this name."""

NO_OBJECT = "no object or tag; with data.untagged=background they are pictures of background"
"""Why an image is left out of an export that cannot say that it is finished."""


@dataclass(frozen=True)
class TagsChoice:
    """How a tags file is read where there is a choice: `data.tags_control`, `data.untagged`.

    Attributes:
        control: The control of Label Studio, or the column of a table, whose labels are the tags;
            None for all, where that is clear.
        untagged: `background`: images without any tag are pictures of background, also in formats
            that cannot tell them from images that nobody has looked at; None: these are left out.
    """

    control: str | None = None
    untagged: str | None = None

    def __post_init__(self) -> None:
        if self.untagged is not None and self.untagged not in UNTAGGED:
            raise InputError(
                f"data.untagged={self.untagged}: must be null or background, which says that "
                "images without a tag are pictures of background"
            )


DEFAULT_CHOICE = TagsChoice()


@dataclass(frozen=True)
class RawRow:
    """One image as a file describes it.

    Attributes:
        number: Line in a table, number of the image in an export, from 1.
        image: Its name, where none of `places` is a file.
        tags: Names; may be empty, and may repeat.
        split: As the file gives it, None if it does not.
        places: Files that it may be, relative to the images' folder, the likeliest first.
        left_out: Why it is not used; None if it is.
    """

    number: int
    image: str
    tags: tuple[str, ...] = ()
    split: str | None = None
    places: tuple[str, ...] = ()
    left_out: str | None = None


@dataclass(frozen=True)
class Reading:
    """What a reader found.

    Attributes:
        rows: All images, in the file's order.
        source: What the tags are, as "CVAT, boxes and tags".
        classes: Names that the file declares as classes, used or not.
        unit: What `RawRow.number` counts.
        merged: Whether a second row of an image adds to its tags, as where rows are objects.
        hint: What ends the message on a tag that is no class.
    """

    rows: Sequence[RawRow]
    source: str
    classes: Sequence[str] = field(default=())
    unit: str = "image"
    merged: bool = False
    hint: str = ""


def joined(words: Sequence[str]) -> str:
    """Words as a sentence lists them.

    >>> joined(["boxes"]), joined(["boxes", "masks", "tags"])
    ('boxes', 'boxes, masks and tags')
    """
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def refuse_control(choice: TagsChoice, path: Path, what: str) -> None:
    """InputError if a control is chosen in a format that has none."""
    if choice.control is not None:
        raise InputError(
            f"{path}: data.tags_control={choice.control}, but {what} has no controls to choose "
            "from; leave it out"
        )


def text_of(record: Mapping[str, Any], key: str) -> str:
    """A text of a parsed record; TypeError if it is none, KeyError if it is not there."""
    value = record[key]
    if not isinstance(value, str) or not value.strip():
        raise TypeError(f"'{key}' must be a text, not {short(value)}")
    return value.strip()
