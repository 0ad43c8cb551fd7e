"""Tables of tags: CSV with a header,

    image,tags
    beach/1.jpg,person;dog
    beach/2.jpg,

or with one column for each class,

    image,person,dog
    beach/1.jpg,1,1
    beach/2.jpg,0,0

Stage 1. Columns may be separated by commas, semicolons or tabs; the text is UTF-8, or UTF-16 with
its mark, as spreadsheets write it. Other names of columns: `columns.py`. Tags in one cell:
`cells.py`. Further columns beside one of tags are ignored.
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from weclip.data.tags.reading import RawRow, Reading, TagsChoice
from weclip.data.tags.tables.cells import splitter
from weclip.data.tags.tables.columns import Columns, find_columns, names_image, plain
from weclip.system.errors import InputError
from weclip.system.untrusted.files import read_bytes
from weclip.system.untrusted.text import short

PRESENT = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False, "": False}
"""What a cell of a class's column may hold, in lower case; numbers like 1.0 are read as such."""

NO_LABEL = "no label in their row; with data.untagged=background they are pictures of background"
MARKED = "marked 'Unlabeled'"

_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_DELIMITERS = ",;\t"
_ZERO = re.compile(r"0+(\.0*)?")


@dataclass(frozen=True)
class Table:
    """A parsed table.

    Attributes:
        header: Names of its columns, without blanks round them.
        rows: Line number and cells by column, of every row that is not empty.
        line: Number of the header's line.
    """

    header: Sequence[str]
    rows: Sequence[tuple[int, dict[str, str]]]
    line: int


def read_table(path: Path, names: Sequence[str] | None, choice: TagsChoice) -> Reading:
    """Read the tags of a CSV file, or of one with semicolons or tabs.

    Args:
        path: The file.
        names: Class names; None if there is no list, so that each further column is a class.
        choice: How it is read.

    Raises:
        InputError: It is no such table, or can be read in two ways.
    """
    return read_rows(parse_table(path), path, names, choice)


def read_rows(table: Table, path: Path, names: Sequence[str] | None, choice: TagsChoice) -> Reading:
    """As `read_table`, of a table that is parsed."""
    columns = find_columns(table.header, names, choice, f"{path}, line {table.line}")
    if columns.tags is None:
        rows = list(_class_rows(table, columns, path))
        source = f"table, columns of {len(columns.classes)} classes"
        return Reading(rows, source, columns.classes, unit="line")
    cells = [row[columns.tags] for _, row in table.rows]
    _refuse_absent(table, path)
    split = splitter(cells, names, f"{path}: column '{columns.tags}'")
    rows = []
    for line, row in table.rows:
        tags = tuple(split(row[columns.tags]))
        left_out = NO_LABEL if columns.single and not tags and not choice.untagged else None
        rows.append(_row(line, row, columns, tags, left_out, path))
    source = f"table, column '{columns.tags}'"
    return Reading(rows, source, unit="line", merged=columns.boxes)


def parse_table(path: Path) -> Table:
    """Parse a CSV file, whatever separates its columns.

    Raises:
        InputError: It is not text, or no CSV, or a row does not fit the header.
    """
    text = _decoded(path)
    lines = text.splitlines()
    skipped = 0
    delimiter = ""
    if lines and lines[0].lower().startswith("sep=") and len(lines[0]) == 5:  # Excel's own hint
        delimiter, skipped = lines[0][4], 1
        text = text.partition("\n")[2]
    try:
        header_line = next((line for line in text.splitlines() if line.strip()), "")
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter or _of(header_line))
        return _table(reader, path, skipped)
    except csv.Error as error:
        raise InputError(f"{path}: tags file is not valid CSV ({error})") from None


def _decoded(path: Path) -> str:
    content = read_bytes(path, "tags file")
    try:
        return content.decode(_MARKS.get(content[:2], "utf-8-sig"))
    except UnicodeDecodeError:
        raise InputError(
            f"{path}: tags file cannot be read as UTF-8 text; save it as UTF-8"
        ) from None


def _of(header: str) -> str:
    """The sign that separates columns: the one whose header has a column for the image."""
    found = [
        sign
        for sign in _DELIMITERS
        if sign in header and names_image([name.strip(' "') for name in header.split(sign)])
    ]
    return found[0] if len(found) == 1 else ","


def _table(reader: Iterator[list[str]], path: Path, skipped: int) -> Table:
    header: list[str] = []
    rows = []
    first = 0
    for cells in reader:
        line = reader.line_num + skipped  # type: ignore[attr-defined]
        if not any(cell.strip() for cell in cells):
            continue
        if not header:
            header, first = [cell.strip() for cell in cells], line
            _refuse_twice(header, f"{path}, line {line}")
            continue
        if len(cells) != len(header):
            raise InputError(
                f"{path}, line {line}: row does not fit the header; tags are joined by ';'"
            )
        rows.append((line, dict(zip(header, cells, strict=True))))
    if not rows and not header:
        raise InputError(f"{path}: tags file has no rows")
    return Table(header, rows, first)


def _refuse_twice(header: Sequence[str], where: str) -> None:
    seen: set[str] = set()
    for name in header:
        if "\n" in name or "\r" in name:
            raise InputError(f"{where}: a line break in the header; is a quote not closed?")
        if name and name in seen:
            raise InputError(f"{where}: column '{name}' appears twice; keep one of them")
        seen.add(name)


def _refuse_absent(table: Table, path: Path) -> None:
    """Open Images writes labels with a confidence of 0: what is not in the image."""
    for column in (name for name in table.header if plain(name) == "confidence"):
        for line, row in table.rows:
            if _ZERO.fullmatch(row[column].strip()):
                raise InputError(
                    f"{path}, line {line}: '{column}' is 0, which says that the label is not in "
                    "the image; remove such rows"
                )


def _class_rows(table: Table, columns: Columns, path: Path) -> Iterator[RawRow]:
    for line, row in table.rows:
        present = [name for name in columns.classes if _is_present(row[name], name, path, line)]
        marked = columns.marked
        left_out = None
        if marked is not None and _is_present(row[marked], marked, path, line):
            left_out = MARKED
            if present:
                raise InputError(
                    f"{path}, line {line}: both '{marked}' and '{present[0]}'; keep one of them"
                )
        yield _row(line, row, columns, tuple(present), left_out, path)


def _is_present(cell: str, name: str, path: Path, line: int) -> bool:
    text = cell.strip().lower().removesuffix(".0")
    if text not in PRESENT:
        raise InputError(
            f"{path}, line {line}: column '{name}' must hold 0 or 1, not {short(cell)}; a column "
            "that holds the tags themselves is called tags"
        )
    return PRESENT[text]


def _row(
    line: int,
    row: dict[str, str],
    columns: Columns,
    tags: tuple[str, ...],
    left_out: str | None,
    path: Path,
) -> RawRow:
    where = f"{path}, line {line}"
    image = row[columns.image].strip()
    if not image:
        raise InputError(f"{where}: '{columns.image}' must be a file name, not ''")
    split = None if columns.split is None else row[columns.split].strip()
    if split == "":
        raise InputError(f"{where}: '{columns.split}' must be a name such as train or val, not ''")
    return RawRow(line, image, tags, split, left_out=left_out)
