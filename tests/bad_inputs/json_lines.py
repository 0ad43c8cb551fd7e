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
        'photos/tags.jsonl, line 2: not valid JSON (...); write {"image": "a.jpg", "tags": ["dog"]} on each line',
    ),
    _jsonl(
        "array",
        "A JSON array in place of lines",
        f"[{_row()}]",
        'photos/tags.jsonl, line 1: not valid JSON (...); write {"image": "a.jpg", "tags": ["dog"]} on each line',
    ),
    _jsonl(
        "tags-mapping",
        "Tags as a mapping",
        _row(tags={"bird": 1}),
        "photos/tags.jsonl, line 1: 'tags' must be a list of class names, not {'bird': 1}",
    ),
    _jsonl(
        "objects-numbers",
        "Objects whose categories are numbers",
        json.dumps({"file_name": A, "objects": {"bbox": [[0, 0, 1, 1]], "categories": [3]}}),
        "photos/tags.jsonl, line 1: 'objects: categories' must be names of classes, not [3]: nothing says what the numbers mean",
    ),
    _jsonl(
        "label-number",
        "A label as a number",
        json.dumps({"file_name": A, "label": 3}),
        "photos/tags.jsonl, line 1: 'label' must be names of classes, not 3: nothing says what the numbers mean",
    ),
    _jsonl(
        "tags-numbers",
        "Tags as numbers",
        _row(tags=[0, 2]),
        "photos/tags.jsonl, line 1: 'tags' must be names of classes, not [0, 2]: nothing says what the numbers mean",
    ),
    _jsonl(
        "tags-missing",
        "No tags",
        '{"image": "a.jpg"}\n',
        'photos/tags.jsonl, line 1: field \'tags\' is missing; write {"image": "a.jpg", "tags": ["dog"]} on each line; found \'image\'',
    ),
    _jsonl(
        "class-in-capitals",
        "A class in capitals",
        _row(tags=["Bird"]),
        "photos/tags.jsonl, line 1: unknown class 'Bird'; did you mean 'bird'?",
    ),
    _jsonl(
        "csv-inside",
        "CSV named .jsonl",
        GOOD,
        'photos/tags.jsonl, line 1: not valid JSON (...); write {"image": "a.jpg", "tags": ["dog"]} on each line',
    ),
)
