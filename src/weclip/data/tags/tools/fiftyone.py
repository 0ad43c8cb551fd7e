"""FiftyOne: `labels.json` of image classification and image detection data sets.

Stage 1. Source: the format pages of FiftyOne. A label is a number of `classes`, a name, an object
with `label`, or a list of these; null and an empty list are an image without a label, finished or
not. Images lie in `data/` and are named without suffix.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from weclip.data.tags.places import places_of
from weclip.data.tags.reading import NO_OBJECT, RawRow, Reading, TagsChoice, refuse_control
from weclip.system.errors import InputError
from weclip.system.untrusted.text import short

FOLDER = "data"


def read_fiftyone(document: dict[str, Any], path: Path, choice: TagsChoice) -> Reading:
    """Read a parsed `labels.json`.

    Raises:
        InputError: A label is none.
        KeyError, TypeError, IndexError, AttributeError: Something is missing or of a wrong type.
    """
    refuse_control(choice, path, "FiftyOne")
    classes = document.get("classes")
    rows = []
    boxes = False
    for number, (image, labels) in enumerate(document["labels"].items(), 1):
        where = f"{path}, image {number}"
        values = labels if isinstance(labels, list) else [] if labels is None else [labels]
        tags = tuple(_name(value, classes, where) for value in values)
        boxes |= any(isinstance(value, dict) and "bounding_box" in value for value in values)
        left_out = NO_OBJECT if not tags and not choice.untagged else None
        places = places_of(image, [FOLDER])
        rows.append(RawRow(number, f"{FOLDER}/{image}", tags, None, places, left_out))
    return Reading(rows, f"FiftyOne, {'detections' if boxes else 'classifications'}")


def _name(label: Any, classes: Sequence[str] | None, where: str) -> str:
    if isinstance(label, dict):
        label = label["label"]
    if isinstance(label, int) and not isinstance(label, bool):
        if classes is None or not 0 <= label < len(classes):
            raise IndexError(label)
        label = classes[label]
    if not isinstance(label, str) or not label.strip():
        raise InputError(f"{where}: a label must be a name or a number, not {short(label)}")
    return label.strip()
