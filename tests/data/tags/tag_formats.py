"""One little data set of tags, written in every format that is read."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

NAMES = ("cat", "dog", "traffic light")
TAGS = {"a": ("dog", "traffic light"), "naïve": ("cat",), "none": ()}


def csv_cells(folder: Path, separator: str = ";") -> Path:
    lines = [f'{name}.jpg,"{separator.join(tags)}",x' for name, tags in TAGS.items()]
    return _write(folder / "tags.csv", "\n".join(["image,tags,note", *lines]))


def csv_bars(folder: Path) -> Path:
    return csv_cells(folder, " | ")


def csv_commas(folder: Path) -> Path:
    return csv_cells(folder, ", ")


def csv_columns(folder: Path) -> Path:
    rows = [",".join([name, *("01"[tag in tags] for tag in NAMES)]) for name, tags in TAGS.items()]
    return _write(folder / "columns.csv", "\n".join([",".join(["image", *NAMES]), *rows]))


def csv_words(folder: Path) -> Path:
    words = (("no", "YES"), ("", "1.0"), ("False", "true"))
    rows = [
        ",".join([name, *(words[i][tag in tags] for i, tag in enumerate(NAMES))])
        for name, tags in TAGS.items()
    ]
    return _write(folder / "words.csv", "\n".join([",".join(["file_name", *NAMES]), *rows]))


def jsonl(folder: Path) -> Path:
    rows = [json.dumps({"image": name, "tags": tags}) for name, tags in TAGS.items()]
    return _write(folder / "tags.jsonl", "\n".join(rows))


def hugging_face_csv(folder: Path) -> Path:
    lines = [f"{name}.jpg,{';'.join(tags)}" for name, tags in TAGS.items()]
    return _write(folder / "metadata.csv", "\n".join(["file_name,tags", *lines]))


def hugging_face_jsonl(folder: Path) -> Path:
    rows = [json.dumps({"file_name": f"{name}.jpg", "tags": tags}) for name, tags in TAGS.items()]
    return _write(folder / "metadata.jsonl", "\n".join(rows))


def coco(folder: Path) -> Path:
    document = {
        "categories": [{"id": 3 * i + 7, "name": name} for i, name in enumerate(NAMES)],
        "images": [{"id": i, "file_name": f"{name}.jpg"} for i, name in enumerate(TAGS)],
        "annotations": [
            {"image_id": i, "category_id": 3 * NAMES.index(tag) + 7}
            for i, tags in enumerate(TAGS.values())
            for tag in (*tags, *tags)
        ],
    }
    return _write(folder / "instances.json", json.dumps(document))


def fiftyone_numbers(folder: Path) -> Path:
    labels = {name: [NAMES.index(tag) for tag in tags] for name, tags in TAGS.items()}
    labels = {name: ids[0] if len(ids) == 1 else ids or None for name, ids in labels.items()}
    return _write(folder / "labels.json", json.dumps({"classes": NAMES, "labels": labels}))


def fiftyone_objects(folder: Path) -> Path:
    labels = {
        name: [{"label": tag, "confidence": 1} for tag in tags] for name, tags in TAGS.items()
    }
    return _write(folder / "objects.json", json.dumps({"classes": None, "labels": labels}))


def label_studio(folder: Path) -> Path:
    def task(image: str, tags: tuple[str, ...]) -> dict[str, object]:
        box = {"type": "rectanglelabels", "value": {"x": 1, "rectanglelabels": tags[:1]}}
        choices = {"type": "choices", "value": {"choices": tags}}
        cancelled = {"was_cancelled": True, "result": [choices | {"value": {"choices": ["cat"]}}]}
        return {
            "data": {"image": f"/data/local-files/?d={image}.jpg"},
            "annotations": [
                {"was_cancelled": False, "result": [box, choices] if tags else []},
                cancelled,
            ],
        }

    return _write(folder / "tasks.json", json.dumps([task(*item) for item in TAGS.items()]))


def cvat(folder: Path) -> Path:
    images = "".join(
        f'<image id="{i}" name="{name}.jpg" width="5" height="5">'
        + "".join(f'<tag label="{tag}" source="manual"/>' for tag in tags)
        + "</image>"
        for i, (name, tags) in enumerate(TAGS.items())
    )
    return _write(folder / "annotations.xml", f"<annotations><meta/>{images}</annotations>")


def pickled(folder: Path) -> Path:
    rows = {name: np.array([tag in tags for tag in NAMES], "f4") for name, tags in TAGS.items()}
    np.save(folder / "cls_labels_onehot.npy", rows)  # type: ignore[arg-type]
    return folder / "cls_labels_onehot.npy"


def voc_xml(folder: Path) -> Path:
    for name, tags in TAGS.items():
        objects = "".join(f"<object><name>{tag}</name></object>" for tag in tags)
        _write(folder / "xml" / f"{name}.xml", f"<annotation>{objects}</annotation>")
    return folder / "xml"


OPEN = ("coco", "fiftyone_numbers", "fiftyone_objects", "cvat")
"""Writers of what cannot say that an image without tags is finished."""

FILES: tuple[Callable[[Path], Path], ...] = (
    csv_cells,
    csv_bars,
    csv_commas,
    csv_columns,
    csv_words,
    jsonl,
    hugging_face_csv,
    hugging_face_jsonl,
    coco,
    fiftyone_numbers,
    fiftyone_objects,
    label_studio,
    cvat,
)
"""What `data.tags_file` may be."""

CONVERTED = (pickled, voc_xml)
"""What only `weclip convert` reads."""


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path
