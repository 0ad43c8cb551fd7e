"""Masks that may overlap, with scores, on disk: lists of run lengths as SAM's own tools write them.

Stage 1. A JSON list of `{"segmentation": {"size": [H, W], "counts": ...}, "predicted_iou": ...}`,
or that list as `annotations` of an object, as in SA-1B. A score is `score` or `predicted_iou`;
where no mask has one, all are 1. `score` also says that surer masks lie on top; else larger ones
do, as SAM's masks are painted.
"""

import json
from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weclip.data.masks.run_lengths import Size, drawn, runs_of
from weclip.system.errors import InputError
from weclip.system.files import write_text
from weclip.system.untrusted.documents import parse_json
from weclip.system.untrusted.files import read_bytes
from weclip.system.untrusted.text import short

Masks = NDArray[np.bool_]
Scores = NDArray[np.float32]

MOST_FILE = 2**28
"""Bytes of a list of masks; SA-1B's have some hundred thousand."""

MOST_PIXELS = 2**32
"""Of all masks of an image together, a byte each: 300 masks of a photo of 14 million pixels."""

SCORES = ("score", "predicted_iou")


def read_mask_list(path: Path, size: Size) -> tuple[Masks, Scores, bool]:
    """Masks (P, H, W) and scores (P,) of an image, and whether surer ones lie on top.

    Args:
        path: The JSON file.
        size: (H, W) of the image.

    Raises:
        InputError: It is no such list, or its masks are of another size, or endless.
    """
    entries = _entries(path)
    _require_size(entries, size, path)
    height, width = size
    if len(entries) * height * width > MOST_PIXELS:
        raise InputError(
            f"{path}: {len(entries)} masks of {height} x {width} pixels are more than fit; keep "
            "the better ones, or write them as an id map"
        )
    masks = np.zeros((len(entries), height, width), np.bool_)
    scores = np.ones(len(entries), np.float32)
    for number, entry in enumerate(entries):
        try:
            masks[number] = drawn(entry["segmentation"], size)
            scores[number] = _score(entry)
        except ValueError as error:
            raise InputError(f"{path}, mask {number + 1}: {error}; write it again") from None
    keys = {_key_of_score(entry) for entry in entries}
    if len(keys) > 1:
        raise InputError(
            f"{path}: its masks do not all have the same score ({' or '.join(SCORES)}); give it to "
            "all, or to none"
        )
    return masks, scores, keys == {"score"}


def write_mask_list(path: Path, masks: Masks, scores: Scores) -> None:
    """Write masks (P, H, W) with their scores (P,); the file appears whole or not at all."""
    entries = [
        {
            "segmentation": runs_of(mask),
            "area": int(mask.sum()),
            "score": round(float(score), 6),
        }
        for mask, score in zip(masks, scores, strict=True)
    ]
    write_text(path, json.dumps({"annotations": entries}) + "\n")


def _entries(path: Path) -> list[Mapping[str, Any]]:
    """The entries of a file, each with run lengths."""
    found = parse_json(read_bytes(path, "list of masks", MOST_FILE), str(path))
    if isinstance(found, dict):
        found = found.get("annotations")
    if not isinstance(found, list):
        raise InputError(
            f"{path}: no list of masks; give a JSON list, or an object with 'annotations', of "
            '{"segmentation": {"size": [H, W], "counts": ...}}'
        )
    for number, entry in enumerate(found, 1):
        runs = entry.get("segmentation") if isinstance(entry, dict) else None
        if not isinstance(runs, dict):
            raise InputError(
                f"{path}, mask {number}: its 'segmentation' is {short(runs)}, no run lengths "
                '{"size": [H, W], "counts": ...}; write it as COCO\'s run lengths'
            )
    return found


def _require_size(entries: list[Mapping[str, Any]], size: Size, path: Path) -> None:
    for entry in entries:
        given = entry["segmentation"].get("size")
        if isinstance(given, list) and len(given) == 2 and given != list(size):
            raise WrongSizeError(path, given[0], given[1], size)


class WrongSizeError(InputError):
    """Regions of another size than the image's.

    Attributes:
        given: (H, W) of the regions, as the file has it.
    """

    def __init__(self, path: Path, height: object, width: object, size: Size) -> None:
        self.given = (height, width)
        super().__init__(
            f"{path}: regions of {short(height)} x {short(width)} pixels (height x width), and the "
            f"image has {size[0]} x {size[1]}; make them at the image's own size"
        )


def _key_of_score(entry: Mapping[str, Any]) -> str | None:
    return next((key for key in SCORES if key in entry), None)


def _score(entry: Mapping[str, Any]) -> float:
    key = _key_of_score(entry)
    value = 1.0 if key is None else entry[key]
    if type(value) not in (int, float) or not isfinite(value):
        raise ValueError(f"its {key} is {short(value)}, no number")
    return float(value)
