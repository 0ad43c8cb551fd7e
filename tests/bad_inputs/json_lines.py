"""JSON lines of tags: broken lines, arrays, and fields of a wrong type."""

import json

from tests.bad_inputs.case import TRAIN_FOLDER, Case
from tests.bad_inputs.csv_tables import GOOD, A


def _jsonl(name: str, wrong: str, content: str | bytes, line: str) -> Case:
    return Case(f"jsonl-{name}", wrong, TRAIN_FOLDER, line, files={"photos/tags.jsonl": content})


def _row(**fields: object) -> str:
    return json.dumps({"image": A, "tags": ["bird"]} | fields) + "\n"


CASES = (
    _jsonl(
        "broken",
        "A broken line",
        _row() + '{"image": "b.jpg", "tags": ["cat"\n',
        "photos/tags.jsonl, line 2: not valid JSON (...); expected an object with 'image' and 'tags' on each line",
    ),
    _jsonl(
        "array",
        "A JSON array in place of lines",
        f"[{_row()}]",
        "photos/tags.jsonl, line 1: not valid JSON (...); expected an object with 'image' and 'tags' on each line",
    ),
    _jsonl(
        "tags-text",
        "Tags as one text",
        _row(tags="bird;dog"),
        "photos/tags.jsonl, line 1: 'tags' must be a list of class names, not 'bird;dog'",
    ),
    _jsonl(
        "tags-numbers",
        "Tags as numbers",
        _row(tags=[0, 2]),
        "photos/tags.jsonl, line 1: 'tags' must be a list of class names, not [0, 2]",
    ),
    _jsonl(
        "tags-missing",
        "No tags",
        '{"image": "a.jpg"}\n',
        "photos/tags.jsonl, line 1: field 'tags' is missing; expected image, tags[, split]",
    ),
    _jsonl(
        "class-with-blank",
        "A blank after a class",
        _row(tags=["bird "]),
        "photos/tags.jsonl, line 1: unknown class 'bird '; did you mean 'bird'?",
    ),
    _jsonl(
        "csv-inside",
        "CSV named .jsonl",
        GOOD,
        "photos/tags.jsonl, line 1: not valid JSON (...); expected an object with 'image' and 'tags' on each line",
    ),
)
