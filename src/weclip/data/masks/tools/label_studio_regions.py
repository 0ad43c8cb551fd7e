"""Label Studio: brush and polygon regions in its export "JSON".

Stage 1. Source: Label Studio's page on its JSON. Later regions lie on earlier ones. A task counts
with its one annotation that was not cancelled; one without regions is a picture of background.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from weclip.data.classes import ClassList
from weclip.data.masks.tools.drawing import Region, brush_runs, polygon
from weclip.data.masks.tools.imported import (
    Ids,
    ImportedMask,
    Size,
    id_of_label,
    require_same_size,
)
from weclip.data.tags.tools.label_studio import finished
from weclip.data.tags.tools.labels import label_kind
from weclip.data.tags.tools.task_images import addresses, row_of
from weclip.system.errors import InputError, missing_or_wrong
from weclip.system.untrusted.documents import parse_json
from weclip.system.untrusted.files import read_bytes
from weclip.system.untrusted.text import short

BRUSH, POLYGON = "brushlabels", "polygonlabels"
_DAMAGED = (KeyError, TypeError, IndexError, AttributeError)

Result = Mapping[str, Any]


def read_label_studio(path: Path, classes: ClassList) -> Iterator[ImportedMask]:
    """The masks of finished tasks.

    Raises:
        InputError: No export of Label Studio, or a task has several images or annotations.
    """
    document = parse_json(read_bytes(path, "masks"), str(path))
    if not isinstance(document, list) or not all(isinstance(each, dict) for each in document):
        raise InputError(f"{path}: no tasks of Label Studio; export them there as JSON")
    for number, task in enumerate(document, 1):
        where = f"{path}, task {number}"
        try:
            found = _task(task, number, classes, where)
        except _DAMAGED as error:
            raise InputError(f"{where}: damaged: {missing_or_wrong(error)}") from None
        if found is not None:
            yield found


def _task(task: Any, number: int, classes: ClassList, where: str) -> ImportedMask | None:
    """The mask of a task; None if it is not finished."""
    annotations, left_out = finished(task)
    if left_out is not None:
        return None
    pages = addresses(task["data"], where)
    if len(pages) > 1:
        raise InputError(f"{where}: {len(pages)} images; make each of them a task")
    if len(annotations) > 1:
        raise InputError(
            f"{where}: {len(annotations)} annotations; delete or cancel all but the right one"
        )
    row = row_of(number, pages[0], (), None, where)
    draw = partial(_draw, annotations[0]["result"] or (), classes, where)
    return ImportedMask(where, row.places or (row.image,), draw)


def _draw(results: Sequence[Result], classes: ClassList, where: str, size: Size) -> Ids:
    mask = np.zeros(size, np.uint8)
    try:
        for result in results:
            region = _region(result, size, where)
            if region is not None:
                mask[region] = id_of_label(_label(result, where), classes, where)
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"{where}: {error}; export it from Label Studio again") from None
    except _DAMAGED as error:
        raise InputError(f"{where}: damaged: {missing_or_wrong(error)}") from None
    return mask


def _region(result: Result, size: Size, where: str) -> Region | None:
    """The pixels of a result; None if it says nothing of pixels."""
    if "original_width" not in result:
        return None
    value = result.get("value") or {}
    kind = label_kind(value)
    if kind not in (BRUSH, POLYGON):
        if "x" not in value and "rle" not in value and "points" not in value:
            return None
        raise InputError(
            f"{where}: a region of type {short(result.get('type'))} is no mask; draw brush or "
            "polygon regions, each with its label"
        )
    given = (result["original_height"], result["original_width"])
    require_same_size(given, size, where)
    if kind == BRUSH:
        return brush_runs(value["rle"], size)
    height, width = size
    return polygon([(x * width / 100, y * height / 100) for x, y in value["points"]], size)


def _label(result: Result, where: str) -> str:
    labels = result["value"][label_kind(result["value"])]
    if len(labels) != 1:
        raise InputError(f"{where}: a region with {len(labels)} labels; give it one")
    return str(labels[0])
