"""Masks as COCO annotations: one run-length encoded segmentation for each image and class."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from weclip.exports.labelled import Labelled, foreground, write_lines

COCO_NAME = "coco.json"
FORMAT = "1"
"""Number of this way to write the file."""


def export_coco(labelled: Labelled) -> Path:
    """Write `coco.json`, which `pycocotools` loads.

    Ids of images count from 1 in their order; ids of categories are class ids. Background and
    unsure pixels (255) belong to no segmentation.

    Returns:
        The file.
    """
    path = labelled.out / COCO_NAME
    write_lines(path, _lines(labelled))
    return path


def _lines(labelled: Labelled) -> Iterator[str]:
    """The document, whose annotations may be too many to be held."""
    images = [
        {"id": i, "file_name": image.file, "width": image.size[1], "height": image.size[0]}
        for i, image in enumerate(labelled.images, 1)
    ]
    categories = [{"id": i, "name": name} for i, name in enumerate(labelled.classes.names, 1)]
    info = {"description": f"Masks of weclip label, {labelled.method}", "version": FORMAT}
    yield f'{{"info": {json.dumps(info)}, "licenses": [],'
    yield f'"images": {json.dumps(images)},'
    yield f'"categories": {json.dumps(categories)},'
    yield '"annotations": ['
    for number, annotation in enumerate(_annotations(labelled)):
        yield f"{',' if number else ''}{json.dumps({'id': number + 1} | annotation)}"
    yield "]}"


def _annotations(labelled: Labelled) -> Iterator[dict[str, Any]]:
    for image_id, (_, mask) in enumerate(labelled.masks(), 1):
        for class_id in foreground(mask):
            place = {"image_id": image_id, "category_id": class_id}
            yield place | _segmentation(mask == class_id)


def _segmentation(region: np.ndarray[Any, np.dtype[np.bool_]]) -> dict[str, Any]:
    """Runs, area and box of a region (H, W) bool."""
    from pycocotools import mask as coco_mask

    runs = coco_mask.encode(np.asfortranarray(region.astype(np.uint8)))
    return {
        "segmentation": {"size": list(runs["size"]), "counts": runs["counts"].decode("ascii")},
        "area": int(coco_mask.area(runs)),
        "bbox": [float(side) for side in coco_mask.toBbox(runs)],
        "iscrowd": 0,
    }
