"""JSON files of tags: which tool wrote one, told by what it holds.

Stage 1. What no reader understands is refused by name, with the way out.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from weclip.data.tags.reading import Reading, TagsChoice, parse_json, read_bytes, shown
from weclip.data.tags.tables.records import read_records
from weclip.data.tags.tools.coco import read_coco
from weclip.data.tags.tools.fiftyone import read_fiftyone
from weclip.data.tags.tools.label_studio import read_tasks
from weclip.data.tags.tools.label_studio_rows import is_exported_row, read_exported_rows
from weclip.system.errors import InputError, missing_or_wrong

KNOWN = "Label Studio tasks, COCO annotations, FiftyOne labels or a list of images and tags"
_TABLE = "write a table with the header image,tags"

_OTHERS = {
    "samples": "FiftyOne's own format; export it as FiftyOneImageClassificationDataset",
    "shapes": f"one image of LabelMe; {_TABLE}",
    "_via_img_metadata": f"a project of VIA; {_TABLE}",
    "items": "Datumaro's own format; export it as coco_instances",
}
"""Keys of files that are often taken for one of the known ones."""


def read_json(path: Path, names: Sequence[str] | None, choice: TagsChoice) -> Reading:
    """Read the tags of a Label Studio, COCO or FiftyOne file, or of a list of records.

    Args:
        path: The file.
        names: Class names; None if there is no list.
        choice: How it is read.

    Raises:
        InputError: No valid JSON, none of these, or one that is not understood.
    """
    document = parse_json(read_bytes(path), str(path))
    try:
        if isinstance(document, list):
            return _read_list(document, path, names, choice)
        if not isinstance(document, dict):
            raise InputError(f"{path}: {shown(document)} is none of {KNOWN}")
        if "data" in document and not isinstance(document["data"], list):
            return read_tasks([document], path, choice)
        if {"images", "annotations"} <= document.keys():
            return read_coco(document, path, choice)
        _refuse_others(document, path)
        if "categories" in document:
            return read_coco(document, path, choice)
        if "labels" in document:
            return read_fiftyone(document, path, choice)
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: none of {KNOWN}: {missing_or_wrong(error)}") from None
    keys = ", ".join(map(str, document))
    raise InputError(f"{path}: none of {KNOWN}; its keys are {shown(keys)}; {_TABLE}")


def _refuse_others(document: dict[str, Any], path: Path) -> None:
    for key, what in _OTHERS.items():
        if key in document:
            raise InputError(f"{path}: {what}")


def _read_list(
    items: list[Any], path: Path, names: Sequence[str] | None, choice: TagsChoice
) -> Reading:
    if not items:
        raise InputError(f"{path}: tags file has no rows")
    for number, item in enumerate(items, 1):
        if not isinstance(item, dict):
            raise InputError(f"{path}, image {number}: {shown(item)} is none of {KNOWN}")
    if any("data" in item for item in items):
        return read_tasks(items, path, choice)
    if any(is_exported_row(item) for item in items):
        return read_exported_rows(list(enumerate(items, 1)), path, names, choice, "image")
    return read_records(list(enumerate(items, 1)), path, names, choice, "image")
