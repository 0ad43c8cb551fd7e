"""Records of tags: JSON lines such as

    {"image": "beach/1.jpg", "tags": ["person", "dog"]}

or a JSON list of them.

Stage 1. Keys are told as the columns of a table are (`columns.py`). Tags are a list of names, or a
text that is read like a cell of a table (`cells.py`). Objects as Hugging Face writes them,
`{"objects": {"bbox": [...], "categories": ["dog"]}}`, are tags too. A null is a missing label.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weclip.data.tags.reading import RawRow, Reading, TagsChoice
from weclip.data.tags.tables.cells import splitter
from weclip.data.tags.tables.columns import RECORD, TAGS, find_columns, missing
from weclip.data.tags.tables.csv_files import NO_LABEL
from weclip.system.errors import InputError
from weclip.system.untrusted.documents import parse_json
from weclip.system.untrusted.files import read_bytes
from weclip.system.untrusted.text import short

OBJECTS = "objects"
_CATEGORIES = ("categories", "category", "labels", "label")

Record = tuple[int, dict[str, Any]]
"""Number of the line or image, and the record."""


@dataclass(frozen=True)
class _Told:
    """What one record says; `tags` are names, a text that is not split yet, or None for a null."""

    number: int
    image: str
    tags: list[str] | str | None
    split: str | None
    key: str
    single: bool


def read_json_lines(path: Path, names: Sequence[str] | None, choice: TagsChoice) -> Reading:
    """Read the tags of a JSON lines file.

    Args:
        path: UTF-8.
        names: Class names; None if there is no list.
        choice: How it is read.

    Raises:
        InputError: A line is no record of an image and its tags.
    """
    return read_records(list(_lines(path)), path, names, choice, "line")


def read_records(
    records: Sequence[Record],
    path: Path,
    names: Sequence[str] | None,
    choice: TagsChoice,
    unit: str,
) -> Reading:
    """As `read_json_lines`, of parsed records, whose numbers count `unit`."""
    told = [_told(number, record, choice, f"{path}, {unit} {number}") for number, record in records]
    split = splitter([each.tags for each in told if isinstance(each.tags, str)], names, str(path))
    rows = []
    for each in told:
        tags = split(each.tags) if isinstance(each.tags, str) else each.tags
        no_label = tags is None or (each.single and not tags)
        left_out = NO_LABEL if no_label and not choice.untagged else None
        rows.append(RawRow(each.number, each.image, tuple(tags or ()), each.split, (), left_out))
    keys = " and ".join(f"'{key}'" for key in sorted({each.key for each in told}))
    return Reading(rows, f"records, {keys}", unit=unit)


def _lines(path: Path) -> Iterator[Record]:
    try:
        text = read_bytes(path, "tags file").decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(
            f"{path}: tags file cannot be read as UTF-8 text; save it as UTF-8"
        ) from None
    for line, each in enumerate(text.split("\n"), 1):
        if not each.strip():
            continue
        where = f"{path}, line {line}"
        try:
            record = parse_json(each.strip(), where)
        except InputError as error:
            raise InputError(f"{error}; {RECORD}") from None
        if not isinstance(record, dict):
            raise InputError(f"{where}: {short(record)} is no record; {RECORD}")
        yield line, record


def _told(number: int, record: dict[str, Any], choice: TagsChoice, where: str) -> _Told:
    of_objects = TAGS not in record and isinstance(record.get(OBJECTS), dict)
    keys = [TAGS if of_objects and key == OBJECTS else key for key in record]
    columns = find_columns(keys, None, choice, where, RECORD)
    if columns.tags is None:
        raise missing("tags", keys, where, RECORD)
    key = OBJECTS if of_objects and columns.tags == TAGS else columns.tags
    image = record[columns.image]
    if not isinstance(image, str) or not image.strip():
        raise InputError(f"{where}: '{columns.image}' must be a file name, not {short(image)}")
    split = None if columns.split is None else record[columns.split]
    if split is not None and (not isinstance(split, str) or not split.strip()):
        raise InputError(
            f"{where}: '{columns.split}' must be a name such as train or val, not {short(split)}"
        )
    value = record[key]
    tags = _of_objects(value, where) if key == OBJECTS else _names(value, key, where)
    return _Told(number, image.strip(), tags, split and split.strip(), key, columns.single)


def _of_objects(objects: dict[str, Any], where: str) -> list[str]:
    key = next((name for name in _CATEGORIES if name in objects), None)
    if key is None:
        raise InputError(f"{where}: 'objects' has no 'categories', which are the tags")
    names = _names(objects[key], f"objects: {key}", where)
    return names if isinstance(names, list) else [names] if names else []


def _names(value: Any, key: str, where: str) -> list[str] | str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        return [name.strip() for name in value if name.strip()]
    numbers = value if isinstance(value, list) else [value]
    if numbers and all(isinstance(number, int) for number in numbers):
        raise InputError(
            f"{where}: '{key}' must be names of classes, not {short(value)}: nothing says what "
            "the numbers mean"
        )
    raise InputError(f"{where}: '{key}' must be a list of class names, not {short(value)}")
