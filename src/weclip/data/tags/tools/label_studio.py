"""Label Studio: tasks with their annotations, as its export "JSON" writes them.

Stage 1. Source: Label Studio's page on its JSON. Tags are the labels of every control, of all
annotators, unless one control is chosen; choices about a region that has a label of its own are
attributes, and no tags. A task counts once it has an annotation that was not cancelled; one without
labels is a picture of background. Predictions and drafts say nothing.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from weclip.data.tags.reading import Reading, TagsChoice
from weclip.data.tags.tools.labels import WHOLE, Controls, is_region, label_kind
from weclip.data.tags.tools.task_images import addresses, row_of
from weclip.system.errors import InputError
from weclip.system.untrusted.text import short

CANCELLED = "only cancelled annotations"
PREDICTED = "only predicted"
DRAFT = "only a draft"
NOT_ANNOTATED = "not annotated"
NO_NAME = "regions without a label"

Result = Mapping[str, Any]


def read_tasks(tasks: Sequence[Any], path: Path, choice: TagsChoice) -> Reading:
    """Read parsed tasks.

    Raises:
        InputError: A task has no image, or something that is not understood; no control has the
            chosen name, or none labels.
        KeyError, TypeError, AttributeError: Something is missing or of a wrong type.
    """
    controls = Controls(path, choice)
    rows = []
    number = 0
    for place, task in enumerate(tasks, 1):
        where = f"{path}, task {place}"
        data = task["data"]
        if not isinstance(data, dict):
            raise InputError(f"{where}: 'data' must hold the task's image, not {short(data)}")
        pages = addresses(data, where)
        annotations, left_out = finished(task)
        for page, address in enumerate(pages):
            number += 1
            tags: list[str] = []
            nameless = False
            for annotation in annotations:
                results = _of_page(annotation["result"] or (), page, len(pages), where)
                found, unnamed = _labels(results, controls, where)
                tags += found
                nameless |= unnamed
            why = left_out or (NO_NAME if nameless and not tags else None)
            rows.append(row_of(number, address, tags, why, where))
    controls.check()
    return Reading(rows, controls.source(), hint=controls.hint())


def finished(task: Mapping[str, Any]) -> tuple[list[Mapping[str, Any]], str | None]:
    """The annotations of a task that count; where there is none, why."""
    annotations = task.get("annotations", task.get("completions")) or []
    counted = [
        annotation
        for annotation in annotations
        if not annotation.get("was_cancelled") and not annotation.get("skipped")
    ]
    if counted:
        return counted, None
    if annotations:
        return [], CANCELLED
    if task.get("drafts"):
        return [], DRAFT
    return [], PREDICTED if task.get("predictions") else NOT_ANNOTATED


def _of_page(results: Sequence[Result], page: int, pages: int, where: str) -> list[Result]:
    """The results that speak of one page; of a task with one image, all."""
    if pages == 1:
        return list(results)
    kept = []
    for result in results:
        value = result.get("value") or {}
        index = result.get("item_index", value.get("item_index"))
        if index is None and label_kind(value) is not None:
            raise InputError(
                f"{where}: '{result.get('from_name')}' labels {pages} images together; label each "
                "page (perItem), or make each a task"
            )
        if index == page:
            kept.append(result)
    return kept


def _labels(results: Sequence[Result], controls: Controls, where: str) -> tuple[list[str], bool]:
    """The tags in one annotation; and whether it has a region that nothing names."""
    named = {
        id_of: _control(result)
        for result in results
        if (id_of := result.get("id")) is not None and _names_region(result)
    }
    labelled = {result.get("id") for result in results if _has_label(result)}
    tags: list[str] = []
    nameless = False
    for result in results:
        value = result.get("value") or {}
        control = _control(result)
        kind = label_kind(value)
        if kind is None and not is_region(value):
            controls.others.add(str(result.get("type")))
        attribute = kind in WHOLE and named.get(result.get("id"), control) != control
        if attribute and controls.choice.control != control:
            controls.kinds[control] = str(kind)
            controls.attributes.add(control)
            continue
        tags += controls.names(control, value, where)
        mine = controls.choice.control in (None, control)
        nameless |= mine and is_region(value) and result.get("id") not in labelled
    return tags, nameless


def _control(result: Result) -> str:
    """The name of a result's control; its type where old exports have no name."""
    return str(result.get("from_name") or result.get("type"))


def _has_label(result: Result) -> bool:
    value = result.get("value") or {}
    kind = label_kind(value)
    return kind is not None and bool(value[kind])


def _names_region(result: Result) -> bool:
    """Whether a result gives a region its label."""
    return _has_label(result) and label_kind(result["value"]) not in WHOLE
