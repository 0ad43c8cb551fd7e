"""JSON files of tags: which tool wrote one, told by what it holds.

Stage 1. What no reader understands is refused by name, with the way out.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from weclip.data.tags.reading import Reading, TagsChoice
from weclip.data.tags.tables.records import read_records
from weclip.data.tags.tools.coco import read_coco
from weclip.data.tags.tools.fiftyone import read_fiftyone
from weclip.data.tags.tools.label_studio import read_tasks
from weclip.data.tags.tools.label_studio_rows import is_exported_row, read_exported_rows
from weclip.system.errors import InputError, missing_or_wrong
from weclip.system.untrusted.documents import parse_json
from weclip.system.untrusted.files import read_bytes
from weclip.system.untrusted.text import short

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
    document = parse_json(read_bytes(path, "tags file"), str(path))
    kind = _kind(document, path)
    items = document if isinstance(document, list) else [document]
    try:
        match kind:
            case "Label Studio tasks":
                return read_tasks(items, path, choice)
            case "Label Studio rows":
                numbered = list(enumerate(items, 1))
                return read_exported_rows(numbered, path, names, choice, "image")
            case "COCO annotations":
                return read_coco(document, path, choice)
            case "FiftyOne labels":
                return read_fiftyone(document, path, choice)
        return read_records(list(enumerate(items, 1)), path, names, choice, "image")
    except InputError:
        raise
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
        raise InputError(f"{path}: damaged {kind}: {missing_or_wrong(error)}") from None


def _kind(document: Any, path: Path) -> str:
    """What a document is, told by its keys."""
    if isinstance(document, list):
        return _kind_of_list(document, path)
    if not isinstance(document, dict):
        raise InputError(f"{path}: {short(document)} is none of {KNOWN}")
    if {"images", "annotations"} <= document.keys():
        return "COCO annotations"
    for key, what in _OTHERS.items():
        if key in document:
            raise InputError(f"{path}: {what}")
    if "categories" in document:
        return "COCO annotations"
    if "labels" in document:
        return "FiftyOne labels"
    if isinstance(document.get("data"), dict):
        return "Label Studio tasks"
    keys = ", ".join(map(str, document))
    raise InputError(f"{path}: none of {KNOWN}; its keys are {short(keys)}; {_TABLE}")


def _kind_of_list(items: list[Any], path: Path) -> str:
    if not items:
        raise InputError(f"{path}: tags file has no rows")
    for number, item in enumerate(items, 1):
        if not isinstance(item, dict):
            raise InputError(f"{path}, image {number}: {short(item)} is none of {KNOWN}")
    if any("data" in item for item in items):
        return "Label Studio tasks"
    return "Label Studio rows" if any(map(is_exported_row, items)) else "records"
