"""What the columns of a table, or the keys of a JSON line, are.

Stage 1. The documented names are `image`, `tags` and `split`; those that Hugging Face, Kaggle and
Roboflow write are understood too, in any case, with `_`, `-` or blanks in them. A name that could
mean two things is refused; so is a table without a column for its images.
"""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from weclip.data.tags.reading import TagsChoice
from weclip.system.errors import InputError, did_you_mean
from weclip.system.untrusted.text import listed

IMAGE = ("image", "file_name")
"""Names that win over all others for the image."""
TAGS = "tags"
SPLIT = "split"

_FILES = (
    "image images filename filenames file files filepath filepaths path imagename imagefile "
    "imagefilename imagepath imagefilepath img imgname imgfile imgpath picture photo"
).split()
_IDS = "imageid imgid id".split()
_MANY = "tags tag labels classes categories".split()
_ONE = "label class category classname classlabel categoryname labelname".split()
_SPLITS = "split subset partition dataset set".split()
_BOXES = "xmin xmax ymin ymax x1 x2 y1 y2 bbox boundingbox xcenter ycenter".split()
_MARKED = "unlabeled"
"""The column in which Roboflow marks images that nobody has looked at."""

TABLE = (
    "write the header image,tags or image,tags,split, or image and one column of 0 and 1 for "
    "each class"
)
"""How a table should begin."""

RECORD = 'write {"image": "a.jpg", "tags": ["dog"]} on each line'
"""How a record should look."""


@dataclass(frozen=True)
class Columns:
    """Columns by what they are.

    Attributes:
        image: Names the image.
        tags: Holds the tags; None where each class has a column.
        split: Names the split, if any does.
        classes: Columns of classes, none where `tags` is given.
        marked: Roboflow's mark of images that are not labelled, if it is there.
        single: Whether `tags` is named so that an empty cell is a missing label.
        boxes: Whether rows are objects, so that an image has several.
    """

    image: str
    tags: str | None
    split: str | None
    classes: tuple[str, ...] = ()
    marked: str | None = None
    single: bool = False
    boxes: bool = False


def plain(name: str) -> str:
    """A column's name without case, blanks and signs between words.

    >>> plain("Image_ID"), plain("data set")
    ('imageid', 'dataset')
    """
    return re.sub(r"[\s_-]+", "", name).lower()


def find_columns(
    header: Sequence[str],
    names: Sequence[str] | None,
    choice: TagsChoice,
    where: str,
    expected: str = TABLE,
) -> Columns:
    """Tell the columns of a table.

    Args:
        header: Names of all columns, without blanks round them.
        names: Class names; None if there is no list.
        choice: `control` names the column of tags.
        where: What messages start with.
        expected: How it should be.

    Raises:
        InputError: There is no column for the image, or none for tags; or two could be meant.
    """
    known = frozenset(names or ())
    free = [name for name in header if name and name not in known]
    image = _image(free, where)
    if image is None:
        raise missing("image", header, where, expected)
    free.remove(image)
    tags = _tags(free, choice, header, where)
    by_class = [name for name in header if name in known and name != tags]
    if by_class and tags is not None and choice.control is None and tags != TAGS:
        raise InputError(
            f"{where}: both the column '{tags}' and the columns {listed(by_class, 3)} say what is "
            f"in an image; remove one of the two, or choose data.tags_control={tags}"
        )
    if tags is not None:
        split = _split([name for name in free if name != tags], where)
        boxes = sum(plain(name) in _BOXES for name in header) > 0
        return Columns(image, tags, split, single=plain(tags) in _ONE, boxes=boxes)
    split = _split(free, where)
    rest = [name for name in free if name != split and not name.startswith("Unnamed:")]
    marked = next((name for name in rest if plain(name) == _MARKED), None)
    rest = [name for name in rest if name != marked]
    if names is None:
        by_class = [name for name in header if name in rest]
    elif by_class and rest:
        raise InputError(
            f"{where}: column '{rest[0]}' is no class; "
            + (did_you_mean(rest[0], names) or "remove it, or add it to the class list")
        )
    if not by_class:
        raise missing("tags", header, where, expected)
    return Columns(image, None, split, tuple(by_class), marked)


def missing(what: str, header: Sequence[str], where: str, expected: str) -> InputError:
    """The error for a table without a column that it must have, with the header it should have."""
    found = repr(",".join(header)[:60])
    return InputError(f"{where}: field '{what}' is missing; {expected}; found {found}")


def names_image(header: Sequence[str]) -> bool:
    """Whether one of the columns names an image."""
    return any(plain(name) in (*_FILES, *_IDS) for name in header)


def _image(free: Sequence[str], where: str) -> str | None:
    for kinds in (_FILES, _IDS):
        found = [name for name in free if plain(name) in kinds]
        if exact := [name for name in IMAGE if name in found]:
            return exact[0]
        if kinds is _IDS and len(found) > 1:
            found = [name for name in found if plain(name) != "id"]
        if len(found) > 1:
            raise InputError(
                f"{where}: the columns {listed(found)} may all name the image; rename one of them "
                "to image"
            )
        if found:
            return found[0]
    return None


def _tags(free: Sequence[str], choice: TagsChoice, header: Sequence[str], where: str) -> str | None:
    if choice.control is not None:
        if choice.control not in free:
            raise InputError(
                f"{where}: data.tags_control={choice.control}: no such column; there are "
                f"{listed(header)}"
            )
        return choice.control
    if TAGS in free:
        return TAGS
    found = [name for name in free if plain(name) in (*_MANY, *_ONE)]
    if len(found) > 1:
        raise InputError(
            f"{where}: the columns {listed(found)} may all be the tags; rename one of them to "
            f"tags, or choose it: data.tags_control={found[0]}"
        )
    return found[0] if found else None


def _split(free: Sequence[str], where: str) -> str | None:
    found = [name for name in free if plain(name) in _SPLITS]
    if SPLIT in found:
        return SPLIT
    if len(found) > 1:
        raise InputError(
            f"{where}: the columns {listed(found)} may all be the split; rename one of them to "
            "split"
        )
    if found:
        return found[0]
    near = [name for name in free if difflib.get_close_matches(plain(name), _SPLITS[:2], 1, 0.8)]
    if near:
        raise InputError(
            f"{where}: unknown field '{near[0]}'; did you mean 'split'? if not, rename it"
        )
    return None
