"""Write small data sets, file by file."""

import json
from pathlib import Path

import numpy as np
from PIL import Image


def write_image(path: Path, size: tuple[int, int] = (12, 8), colour: str = "white") -> Path:
    """Write an image of `size` (width, height)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return path


def write_mask(path: Path, size: tuple[int, int] = (12, 8), class_id: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full(size[::-1], class_id, np.uint8)).save(path)
    return path


def write_annotation(path: Path, *names: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    objects = "".join(
        f"<object><name>{n}</name><difficult>1</difficult><part><name>head</name></part></object>"
        for n in names
    )
    path.write_text(f"<annotation><folder>VOC2012</folder>{objects}</annotation>")
    return path


COCO_CATEGORIES = [
    {"id": 3, "name": "cat"},
    {"id": 9, "name": "dog"},
    {"id": 90, "name": "traffic light"},
]


def write_instances(path: Path, categories: list[dict[str, object]] = COCO_CATEGORIES) -> Path:
    """Image 1: dog and cat; image 2: nothing; image 3: traffic light."""
    names = [f"COCO_val2014_00000000000{i}.jpg" for i in (1, 2, 3)]
    document = {
        "categories": categories,
        "images": [{"id": i, "file_name": name} for i, name in enumerate(names, 1)],
        "annotations": [
            {"image_id": i, "category_id": c, "iscrowd": 1}
            for i, c in [(1, 9), (1, 3), (1, 9), (3, 90)]
        ],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    return path
