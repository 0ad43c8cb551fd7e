"""Image-level tags, the only training supervision, from a tags file.

Stage 1. A tags file is a table or JSON lines (`tables/`), or an export of an annotation tool
(`tools/`); annotations of the VOC and COCO layouts: `annotations.py`. Of an object only its name is
read, never where it is. What a file leaves open is left out and told, or refused.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from weclip.data.classes import ClassList
from weclip.data.images.listing import image_name
from weclip.data.tags.places import resolve
from weclip.data.tags.reading import DEFAULT_CHOICE, NOTHING, RawRow, Reading, TagsChoice
from weclip.data.tags.tables.csv_files import parse_table, read_rows
from weclip.data.tags.tables.records import read_json_lines
from weclip.data.tags.tools.cvat import read_cvat
from weclip.data.tags.tools.json_files import read_json
from weclip.data.tags.tools.label_studio_rows import decoded, is_exported_row, read_exported_rows
from weclip.system.errors import InputError
from weclip.system.untrusted.text import short

_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_NO_NAMES = frozenset(("nan", "none", "null", "n/a", "na", "<na>", "?", "-"))
"""What programs write into a cell that is empty."""


@dataclass(frozen=True)
class TagsRow:
    """One row of a tags file.

    Attributes:
        image: The image as the file names it: a name, a file name or a relative path with `/`; for
            an export the file that it means, where that is there.
        tags: Sorted 0-based class indices; may be empty.
        split: The row's split as the file gives it, None in a file without splits.
        line: Line in a table, number of the image in an export, from 1.
    """

    image: str
    tags: tuple[int, ...]
    split: str | None
    line: int


@dataclass(frozen=True)
class TagsFile:
    """What a tags file says.

    Attributes:
        rows: One for each image, in the file's order.
        left_out: Why images are not used -> their names.
        source: What the tags are, as "Label Studio, choices 'animal'; 12 labels".
    """

    rows: list[TagsRow]
    left_out: dict[str, list[str]]
    source: str


def read_tags_file(
    path: Path,
    classes: ClassList,
    *,
    control: str | None = None,
    untagged: str | None = None,
    images: Path | None = None,
) -> TagsFile:
    """Read a tags file: a table (`.csv`, `.tsv`, `.jsonl`) or an export (`.json`, `.xml`).

    Args:
        path: The file.
        classes: The class list that tags are looked up in.
        control: As in `TagsChoice`.
        untagged: As in `TagsChoice`.
        images: Folder of the images, where an export's names are sought; the file's if left out.

    Raises:
        InputError: The file cannot be read, is empty, or can be read in two ways; a row names an
            unknown class, has no image, or names an image a second time. The message has the line,
            or the number of the row in an export.
    """
    choice = TagsChoice(control, untagged)
    reading, tags = _looked_up(path, classes, choice, _state(path))
    found = resolve(reading.rows, path.parent if images is None else images)
    rows: dict[str, TagsRow] = {}
    left_out: dict[str, list[str]] = {}
    for row, indices in zip(found, tags, strict=True):
        if row.left_out is not None:
            continue
        first = rows.get(row.image)
        if first is None:
            rows[row.image] = TagsRow(row.image, indices, row.split, row.number)
        elif reading.merged and first.split == row.split:
            both = tuple(sorted({*first.tags, *indices}))
            rows[row.image] = TagsRow(row.image, both, row.split, first.line)
        else:
            unit = reading.unit
            raise InputError(
                f"{path}, {unit} {row.number}: image '{row.image}' is already on {unit} "
                f"{first.line}; keep one of them, with the tags of both"
            )
    for row in found:
        if row.left_out is not None and row.image not in rows:
            names = left_out.setdefault(row.left_out, [])
            names += [] if row.image in names[-1:] else [row.image]
    _require_rows(rows, left_out, path)
    count = sum(len(row.tags) for row in reading.rows if row.left_out is None)
    return TagsFile([*rows.values()], left_out, f"{reading.source}; {count_of_labels(count)}")


def read_tag_names(
    path: Path, *, control: str | None = None, untagged: str | None = None
) -> list[str]:
    """Find the names that a tags file uses, where there is no class list.

    Args:
        path: The file.
        control: As in `TagsChoice`.
        untagged: As in `TagsChoice`.

    Returns:
        Sorted names, each once; the columns of a table with one for each class.

    Raises:
        InputError: The file cannot be read, is empty or has no tag; a tag is no name; or two differ
            only in upper and lower case, which is a slip more often than not.
    """
    reading = _read(path, None, TagsChoice(control, untagged), _state(path))
    used = [row for row in reading.rows if row.left_out is None]
    for row in used:
        for name in row.tags:
            if name.lower() in _NO_NAMES:
                raise InputError(
                    f"{path}, {reading.unit} {row.number}: '{name}' is no class name; leave the "
                    "tags of a picture of background empty, or give a class list that has it"
                )
            _refuse_number(name, f"{path}, {reading.unit} {row.number}")
    names = {name for row in used for name in row.tags} | {*reading.classes}
    names = {name for name in names if not _says_nothing(name)}
    if not names:
        raise InputError(f"{path}: no image has a tag; there is nothing to learn from")
    seen: dict[str, str] = {}
    for name in sorted(names):
        other = seen.setdefault(name.lower(), name)
        if other != name:
            raise InputError(
                f"{path}: the tags '{other}' and '{name}' differ only in upper and lower case; "
                "write one of them, or give a class list with both"
            )
    return sorted(names)


def read_tags_by_name(
    path: Path, classes: ClassList, choice: TagsChoice = DEFAULT_CHOICE
) -> dict[str, tuple[int, ...]]:
    """Read a tags file for a layout whose image names are unique without folder and suffix.

    Args:
        path: The file.
        classes: The class list that tags are looked up in.
        choice: How it is read.

    Returns:
        Image name -> sorted 0-based class indices.

    Raises:
        InputError: As `read_tags_file`; or two rows have the same name.
    """
    tags: dict[str, tuple[int, ...]] = {}
    read = read_tags_file(path, classes, control=choice.control, untagged=choice.untagged)
    for row in read.rows:
        name = image_name(row.image)
        if name in tags:
            raise InputError(f"{path}, line {row.line}: a second row for the image name '{name}'")
        tags[name] = row.tags
    return tags


def count_of_labels(count: int) -> str:
    """A number of labels, in words."""
    return f"{count} label" if count == 1 else f"{count} labels"


State = tuple[int, int] | None
"""Time and size of a file, which tell whether it is still the one that was read before."""


def _state(path: Path) -> State:
    found = path.stat() if path.exists() else None
    return found and (found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=4)
def _read(path: Path, names: tuple[str, ...] | None, choice: TagsChoice, state: State) -> Reading:
    """Read a file as its suffix tells."""
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        hint = "; weclip convert reads it" if path.suffix.lower() == ".npy" else ""
        raise InputError(f"{path}: a tags file must end in {', '.join(READERS)}{hint}")
    reading = reader(path, names, choice)
    if not reading.rows:
        raise InputError(f"{path}: tags file has no rows")
    for row in reading.rows:
        for name in row.tags:
            if not name.isprintable() and _CONTROL.search(name):
                raise InputError(
                    f"{path}, {reading.unit} {row.number}: the tag {short(name)} holds a line "
                    "break or control character; is a quote not closed?"
                )
    return reading


@lru_cache(maxsize=4)
def _looked_up(
    path: Path, classes: ClassList, choice: TagsChoice, state: State
) -> tuple[Reading, list[tuple[int, ...]]]:
    """What a file says, and the class indices of its rows."""
    reading = _read(path, classes.names, choice, state)
    indices = {name: index for index, name in enumerate(classes.names)}

    def index(name: str, row: RawRow) -> int:
        if name not in indices:
            where = f"{path}, {reading.unit} {row.number}"
            try:
                return classes.index_of_tag(name, where)
            except InputError as error:
                _refuse_number(name, where)
                raise InputError(f"{error}{reading.hint}") from None
        return indices[name]

    return reading, [
        tuple(sorted({index(n, row) for n in row.tags if n in indices or not _says_nothing(n)}))
        for row in reading.rows
    ]


def _says_nothing(name: str) -> bool:
    return name.lower() == NOTHING


def _refuse_number(name: str, where: str) -> None:
    if _NUMBER.fullmatch(name):
        raise InputError(
            f"{where}: the tag '{name}' is a number, and nothing says which class it is; write "
            "the classes' names"
        )


def _require_rows(rows: dict[str, TagsRow], left_out: dict[str, list[str]], path: Path) -> None:
    if not rows:
        reasons = [f"{len(names)} {reason}" for reason, names in left_out.items()]
        raise InputError(f"{path}: no image in it can be used: {', '.join(reasons)}")


def _read_csv(path: Path, names: Sequence[str] | None, choice: TagsChoice) -> Reading:
    """A table of the user's, or of Label Studio."""
    table = parse_table(path)
    if not is_exported_row(dict.fromkeys(table.header)):
        return read_rows(table, path, names, choice)
    records = [(line, decoded(row, f"{path}, line {line}")) for line, row in table.rows]
    return read_exported_rows(records, path, names, choice, "line")


Reader = Callable[[Path, Any, TagsChoice], Reading]

READERS: dict[str, Reader] = {
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".jsonl": read_json_lines,
    ".json": read_json,
    ".xml": read_cvat,
}
"""By suffix."""
