"""Label Studio's short exports, "JSON-MIN", "CSV" and "TSV": one row for each annotation.

Stage 1. Source: Label Studio's page on its export formats. A row holds the task's data and what
each control gave, side by side: labels of regions as objects, one choice as a bare text, which
looks like any text of the task. Columns that could be either are refused, unless the class list
knows all their words, or one is chosen. Cancelled annotations are not in these files.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from weclip.data.tags.reading import Reading, TagsChoice
from weclip.data.tags.tables.records import Record
from weclip.data.tags.tools.label_studio import NO_NAME, NOT_ANNOTATED
from weclip.data.tags.tools.labels import Controls, is_region, label_kind
from weclip.data.tags.tools.task_images import image_key, row_of
from weclip.system.errors import InputError
from weclip.system.untrusted.documents import parse_json
from weclip.system.untrusted.text import listed

_MARKS = {"annotation_id", "annotator", "lead_time"}
_OWN = _MARKS | {"id", "created_at", "updated_at", "agreement", "history", "was_cancelled"}
_DATA = "_data_"
"""Before the name of a column of the task's data that has the name of a control."""


def is_exported_row(columns: Mapping[str, Any]) -> bool:
    """Whether a record, or a table with these columns, is of Label Studio."""
    return len(_MARKS & columns.keys()) >= 2


def decoded(row: Mapping[str, str], where: str) -> dict[str, Any]:
    """A row of a CSV file, whose objects and lists are written as JSON in their cells."""
    return {
        name: parse_json(cell, f"{where}: column '{name}'") if cell[:1] in ("[", "{") else cell
        for name, cell in row.items()
    }


def read_exported_rows(
    records: Sequence[Record],
    path: Path,
    names: Sequence[str] | None,
    choice: TagsChoice,
    unit: str,
) -> Reading:
    """Read parsed rows.

    Args:
        records: Number and fields of each row.
        path: The file.
        names: Class names; None if there is no list.
        choice: How it is read.
        unit: What the numbers count.

    Raises:
        InputError: A row has no image; or it is not clear which columns are labels.
    """
    controls = Controls(path, choice)
    images = [_image_column(record, f"{path}, {unit} {number}") for number, record in records]
    values: dict[str, list[Any]] = {}
    for (_, record), image in zip(records, images, strict=True):
        for name, value in record.items():
            if name not in _OWN and name != image and not name.startswith(_DATA):
                values.setdefault(name, []).append(value)
    used = _label_columns(values, names, controls)
    rows = []
    for (number, record), image in zip(records, images, strict=True):
        where = f"{path}, {unit} {number}"
        tags: list[str] = []
        nameless = False
        for name in used:
            for value in _values(record.get(name)):
                found = controls.names(name, value, where)
                nameless |= is_region(value) and not found
                tags += found
        left_out = NO_NAME if nameless and not tags else None
        if record.get("annotation_id") in (None, ""):
            left_out = NOT_ANNOTATED
        rows.append(row_of(number, record[image], tags, left_out, where))
    controls.check()
    return Reading(rows, controls.source(), unit=unit, merged=True, hint=controls.hint())


def _image_column(record: Mapping[str, Any], where: str) -> str:
    data = {name.removeprefix(_DATA): value for name, value in record.items() if name not in _OWN}
    key = image_key(data, where)
    return f"{_DATA}{key}" if f"{_DATA}{key}" in record else key


def _values(value: Any) -> list[Mapping[str, Any]]:
    """What a control gave, as the values of results: a bare text is one choice."""
    listed_values = value if isinstance(value, list) else [value]
    bare = [{"choices": [each]} for each in listed_values if isinstance(each, str) and each]
    return [*bare, *(each for each in listed_values if isinstance(each, dict))]


def _label_columns(
    values: Mapping[str, list[Any]], names: Sequence[str] | None, controls: Controls
) -> list[str]:
    """The columns that are controls that label."""
    chosen = controls.choice.control
    if chosen is not None:
        if chosen not in values:
            raise InputError(
                f"{controls.path}: data.tags_control={chosen}: no such control; there are "
                f"{listed(sorted(values))}"
            )
        return [chosen]
    told = {name: [v for each in column for v in _values(each)] for name, column in values.items()}
    bare = {name for name, column in values.items() if all(map(_is_bare, column))}
    sure = [name for name in told if name not in bare and any(map(label_kind, told[name]))]
    doubtful = [name for name in sorted(bare) if told[name]]
    if names is not None:
        known = frozenset(names)
        fitting = [
            name for name in doubtful if all(known.issuperset(v["choices"]) for v in told[name])
        ]
        if fitting or sure:
            return [*sure, *fitting]
    if len(doubtful) == 1 and not sure:
        return doubtful
    if doubtful:
        raise InputError(
            f"{controls.path}: the columns {listed([*sure, *doubtful])} may all be labels, or "
            f"texts of the task; choose one: data.tags_control={[*sure, *doubtful][0]}"
        )
    return sure


def _is_bare(value: Any) -> bool:
    """Whether a value holds texts only, or nothing."""
    each = value if isinstance(value, list) else [value]
    return all(one is None or isinstance(one, str) for one in each)
