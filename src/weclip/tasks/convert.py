"""`weclip convert`: tags from one format to a tags file, CSV or JSON lines."""

import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path

from weclip.data.classes import ClassList, load_classes
from weclip.data.images.listing import list_files
from weclip.data.tags.pickled import read_pickled_tags
from weclip.data.tags.tags_file import TagsRow, read_tags_file, read_voc_tags
from weclip.system.errors import InputError
from weclip.system.files import write_text


def convert(source: Path, target: Path, *, classes: str, overwrite: bool = False) -> int:
    """Write the tags of `source` as a tags file.

    Args:
        source: A pickled `.npy`, a folder of VOC XML, or what `read_tags_file` reads.
        target: New `.csv` or `.jsonl`.
        classes: Name or file of the class list.
        overwrite: Whether `target` may be replaced.

    Returns:
        Number of images.

    Raises:
        InputError: Unknown formats, unreadable tags, or `target` exists.
    """
    writers = {".csv": _csv, ".jsonl": _jsonl}
    if target.suffix.lower() not in writers:
        raise InputError(f"{target}: the tags file to write must end in .csv or .jsonl")
    if target.is_dir() or (target.parent.exists() and not target.parent.is_dir()):
        raise InputError(f"{target}: cannot be written; give the path of a file")
    if target.exists() and not overwrite:
        raise InputError(f"{target} exists; choose another name or add --overwrite")
    known = load_classes(classes)
    rows = _read(source, known)
    write_text(target, writers[target.suffix.lower()](rows, known))
    return len(rows)


def _read(source: Path, classes: ClassList) -> list[TagsRow]:
    if source.is_dir():
        files = list_files(source, "annotation folder", (".xml",))
        if not files:
            raise InputError(f"{source}: no .xml files in this folder")
        tags = {name: read_voc_tags(path, classes) for name, path in files.items()}
    elif source.suffix.lower() == ".npy":
        tags = read_pickled_tags(source, classes)
    else:
        return read_tags_file(source, classes)
    return [TagsRow(*item, None, number) for number, item in enumerate(tags.items(), 1)]


def _fields(row: TagsRow, classes: ClassList) -> dict[str, object]:
    fields: dict[str, object] = {"image": row.image, "tags": _names(row, classes)}
    return fields if row.split is None else fields | {"split": row.split}


def _names(row: TagsRow, classes: ClassList) -> list[str]:
    return [classes.names[index] for index in row.tags]


def _jsonl(rows: Iterable[TagsRow], classes: ClassList) -> str:
    return "".join(json.dumps(_fields(row, classes), ensure_ascii=False) + "\n" for row in rows)


def _csv(rows: list[TagsRow], classes: ClassList) -> str:
    text = io.StringIO()
    names = ["image", "tags"] + (["split"] if any(row.split for row in rows) else [])
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow(_fields(row, classes) | {"tags": ";".join(_names(row, classes))})
    return text.getvalue()
