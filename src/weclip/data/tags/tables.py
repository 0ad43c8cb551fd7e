"""Tables of tags: CSV with a header,

    image,tags
    beach/1.jpg,person;dog
    beach/2.jpg,

or with one column for each class,

    image,person,dog
    beach/1.jpg,1,1
    beach/2.jpg,0,0

or JSON lines:

    {"image": "beach/1.jpg", "tags": ["person", "dog"]}

Stage 1. `file_name` may stand for `image`, as in Hugging Face's `metadata.csv` and `.jsonl`. Tags
in one cell are separated by `;`, `|` or `,`, if no class name contains that character. An optional
column or field `split` names an image's split. Further columns beside `tags` are ignored.
"""

import csv
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from weclip.system.errors import InputError, did_you_mean

FIELDS = ("image", "tags", "split")
IMAGE_NAMES = ("image", "file_name")
NOT_CLASSES = (*IMAGE_NAMES, "split")
PRESENT = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False, "": False}
"""What a cell of a class's column may hold, in lower case; numbers like 1.0 are read as such."""


def csv_rows(path: Path, names: Sequence[str] | None) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield line number and fields of a CSV file's rows; tags become a list.

    Args:
        path: UTF-8, with a header.
        names: Class names; None if there is no list, so that each further column is a class.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        header = [name.strip() for name in reader.fieldnames or ()]
        if not header:
            return
        where = f"{path}, line 1"
        _check_header(header, where)
        reader.fieldnames = header
        _check_spelling(header, where)
        if names is None:
            names = _class_columns(header)
        by_class = "tags" not in header and any(name in names for name in header)
        if by_class:
            _check_class_columns(header, names, where)
        else:
            _check_fields(header, where, found=f"; found {_shown(header)}")
        for row in reader:
            where = f"{path}, line {reader.line_num}"
            if None in row or None in row.values():
                raise InputError(f"{where}: row does not fit the header; tags are joined by ';'")
            tags = _present(row, names, where) if by_class else _split(row["tags"], names)
            yield reader.line_num, _renamed(row) | {"tags": tags}


def class_columns(path: Path) -> list[str]:
    """Names of the columns of a CSV file that has one for each class; else none."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return _class_columns([name.strip() for name in csv.DictReader(file).fieldnames or ()])


def _class_columns(header: Sequence[str]) -> list[str]:
    return [] if "tags" in header else [name for name in header if name not in NOT_CLASSES]


def jsonl_rows(path: Path, names: Sequence[str] | None) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield line number and fields of a JSON lines file's rows.

    Args:
        path: UTF-8.
        names: Class names; not needed here.
    """
    with path.open(encoding="utf-8-sig") as file:
        for line, text in enumerate(file, 1):
            if not text.strip():
                continue
            where = f"{path}, line {line}"
            try:
                row = json.loads(text.strip())
            except json.JSONDecodeError as error:
                row, reason = None, f"not valid JSON ({error.msg} at column {error.colno}); "
            else:
                reason = ""
            if not isinstance(row, dict):
                raise InputError(
                    f"{where}: {reason}expected an object with 'image' and 'tags' on each line"
                )
            _check_spelling(list(row), where)
            _check_fields(list(row), where)
            yield line, _renamed(row)


def _split(cell: str, names: Sequence[str]) -> list[str]:
    """The tags in one cell."""
    separators = [sign for sign in ";|," if not any(sign in name for name in names)]
    tags = re.split("|".join(map(re.escape, separators)), cell) if separators else [cell]
    return [tag.strip() for tag in tags if tag.strip()]


def _present(row: dict[str, str], names: Sequence[str], where: str) -> list[str]:
    """The classes whose columns say that they are in the image."""
    tags = []
    for name, cell in row.items():
        if name not in names:
            continue
        text = cell.strip().lower().removesuffix(".0")
        if text not in PRESENT:
            raise InputError(f"{where}: column '{name}' must hold 0 or 1, not {cell!r}")
        if PRESENT[text]:
            tags.append(name)
    return tags


def _renamed(row: dict[str, Any]) -> dict[str, Any]:
    """The row with its image under `image`."""
    return row if "image" in row else row | {"image": row["file_name"]}


def _shown(header: Sequence[str]) -> str:
    """The beginning of a header, for messages."""
    return repr(",".join(header)[:60])


def _check_header(header: Sequence[str], where: str) -> None:
    """Refuse columns that are separated otherwise, or given twice."""
    for sign, called in (("\t", "tabs"), (";", "semicolons")):
        if len(header) == 1 and sign in header[0]:
            raise InputError(f"{where}: columns are separated by {called}; use commas")
    twice = next((name for name in header if name and header.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"{where}: column '{twice}' appears twice; keep one of them")


def _check_class_columns(header: Sequence[str], names: Sequence[str], where: str) -> None:
    """Refuse a header that is not image, perhaps split, and class names."""
    if not any(name in header for name in IMAGE_NAMES):
        raise InputError(
            f"{where}: field 'image' is missing; expected image and a column for each class; "
            f"found {_shown(header)}"
        )
    for name in header:
        if name not in (*NOT_CLASSES, *names):
            hint = did_you_mean(name, names) or "remove it, or add it to the class list"
            raise InputError(f"{where}: column '{name}' is no class; {hint}")


def _check_spelling(names: Sequence[str], where: str) -> None:
    """Refuse misspelt fields; others are ignored."""
    for name in names:
        hint = did_you_mean(name, FIELDS)
        if name not in FIELDS and name.lower().rstrip("s") in ("image", "tag", "split"):
            raise InputError(f"{where}: unknown field '{name}'; {hint}")


def _check_fields(names: Sequence[str], where: str, found: str = "") -> None:
    """Refuse a row or header without image and tags; `found` ends the line."""
    missing = [] if any(name in names for name in IMAGE_NAMES) else ["image"]
    missing += [] if "tags" in names else ["tags"]
    if missing:
        raise InputError(
            f"{where}: field '{missing[0]}' is missing; expected image, tags[, split]{found}"
        )
