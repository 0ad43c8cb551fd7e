"""`weclip convert`: tags from one format to a tags file, CSV or JSON lines."""

import csv
import io
import json
from pathlib import Path

from weclip.data.classes import ClassList, load_classes
from weclip.data.images.listing import list_files
from weclip.data.tags.annotations import read_voc_tags
from weclip.data.tags.pickled import read_pickled_tags
from weclip.data.tags.reading import DEFAULT_CHOICE, TagsChoice
from weclip.data.tags.tags_file import TagsFile, TagsRow, count_of_labels, read_tags_file
from weclip.system.errors import InputError
from weclip.system.files import write_text
from weclip.system.locks import working_on
from weclip.system.untrusted.text import short


def convert(
    source: Path,
    target: Path,
    *,
    classes: str,
    choice: TagsChoice = DEFAULT_CHOICE,
    overwrite: bool = False,
) -> TagsFile:
    """Write the tags of `source` as a tags file.

    Args:
        source: A pickled `.npy`, a folder of VOC XML, or what `read_tags_file` reads.
        target: New `.csv` or `.jsonl`.
        classes: Name or file of the class list.
        choice: How a tags file is read.
        overwrite: Whether `target` may be replaced.

    Returns:
        What was read: the images written, those left out, and what the tags are.

    Raises:
        InputError: Unknown formats, unreadable tags, no image with a tag, or `target` exists.
    """
    check_target(target, overwrite=overwrite)
    with working_on(target, "conversion", option=""):
        check_target(target, overwrite=overwrite)  # another command may have just written it
        known = load_classes(classes)
        read = _read(source, known, choice)
        if not any(row.tags for row in read.rows):
            what = f"no image has a tag (read as {read.source})"
            raise InputError(f"{source}: {what}; nothing written")
        write_text(target, _WRITERS[target.suffix.lower()](read.rows, known))
        return read


def check_target(target: Path, *, overwrite: bool) -> None:
    """InputError unless `target` is a new tags file, or with `overwrite` may be replaced."""
    if target.suffix.lower() not in _WRITERS:
        raise InputError(f"{target}: the tags file to write must end in .csv or .jsonl")
    if target.is_dir() or (target.parent.exists() and not target.parent.is_dir()):
        raise InputError(f"{target}: cannot be written; give the path of a file")
    if target.exists() and not overwrite:
        raise InputError(f"{target} exists; choose another name or add --overwrite")


def summary(read: TagsFile, target: Path) -> list[str]:
    """What is said of a conversion: how many images, what their tags are, and what was left out."""
    lines = [f"{len(read.rows)} images in {target}", f"tags from {read.source}"]
    for reason, names in read.left_out.items():
        first = ", ".join(map(short, names[:3])) + (", ..." if len(names) > 3 else "")
        lines.append(f"left out: {len(names)} ({first}): {reason}")
    return lines


def _read(source: Path, classes: ClassList, choice: TagsChoice) -> TagsFile:
    if source.is_dir():
        files = list_files(source, "annotation folder", (".xml",))
        if not files:
            raise InputError(f"{source}: no .xml files in this folder")
        tags = {name: read_voc_tags(path, classes) for name, path in files.items()}
        what = "PASCAL VOC annotations"
    elif source.suffix.lower() == ".npy":
        tags, what = read_pickled_tags(source, classes), "pickled numbers of classes"
    else:
        return read_tags_file(source, classes, control=choice.control, untagged=choice.untagged)
    rows = [TagsRow(*item, None, number) for number, item in enumerate(tags.items(), 1)]
    return TagsFile(rows, {}, f"{what}; {count_of_labels(sum(map(len, tags.values())))}")


def _fields(row: TagsRow, classes: ClassList) -> dict[str, object]:
    fields: dict[str, object] = {"image": row.image, "tags": _names(row, classes)}
    return fields if row.split is None else fields | {"split": row.split}


def _names(row: TagsRow, classes: ClassList) -> list[str]:
    return [classes.names[index] for index in row.tags]


def _jsonl(rows: list[TagsRow], classes: ClassList) -> str:
    return "".join(json.dumps(_fields(row, classes), ensure_ascii=False) + "\n" for row in rows)


def _csv(rows: list[TagsRow], classes: ClassList) -> str:
    text = io.StringIO()
    names = ["image", "tags"] + (["split"] if any(row.split for row in rows) else [])
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow(_fields(row, classes) | {"tags": ";".join(_names(row, classes))})
    return text.getvalue()


_WRITERS = {".csv": _csv, ".jsonl": _jsonl}
