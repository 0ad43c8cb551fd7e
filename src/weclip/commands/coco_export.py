"""Masks as COCO annotations: one run-length encoded segmentation for each image and class."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from weclip.data.batch import IGNORE_INDEX
from weclip.data.classes import ClassList
from weclip.data.masks import read_mask
from weclip.files import write_text

COCO_NAME = "coco.json"


def export_coco(out: Path, records: Sequence[Mapping[str, Any]], classes: ClassList) -> Path:
    """Write `out/coco.json` from the masks in `out/masks`, which `pycocotools` loads.

    Ids of images count from 1 in the order of the records; ids of categories are class ids.
    Background and unsure pixels (255) belong to no segmentation.

    Args:
        out: Output folder of `weclip label`.
        records: Lines of the manifest.
        classes: Class list of the masks.

    Returns:
        The file.
    """
    annotations: list[dict[str, Any]] = []
    for image_id, record in enumerate(records, 1):
        mask = read_mask(out / "masks" / f"{record['name']}.png", num_classes=classes.num_classes)
        for class_id in np.unique(mask).tolist():
            if class_id not in (0, IGNORE_INDEX):
                place = {"id": len(annotations) + 1, "image_id": image_id, "category_id": class_id}
                annotations.append(place | _segmentation(mask == class_id))
    document = {
        "images": [
            {
                "id": image_id,
                "file_name": record["file"],
                "width": record["width"],
                "height": record["height"],
            }
            for image_id, record in enumerate(records, 1)
        ],
        "annotations": annotations,
        "categories": [{"id": i, "name": name} for i, name in enumerate(classes.names, 1)],
    }
    write_text(out / COCO_NAME, json.dumps(document))
    return out / COCO_NAME


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
