"""Shapes of COCO: any document is drawn, each time the same, or refused; no process dies."""

import json
import multiprocessing
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from tests.fuzz.budget import fuzz
from tests.fuzz.documents import VALUES, changed

from weclip.prepare.coco import _make_mask, _read_instances

FAR = (-1e6, -40.0, -0.5, 0.0, 0.4999999, 5.0, 7.5, 8.0, 40.0, 1e6, 2.0**20, 2.0**20 + 1)
"""Coordinates at borders."""


def shape(rng: Random, size: tuple[int, int]) -> Any:
    """A polygon or more, or run lengths, of an image (H, W)."""
    kind = rng.randrange(3)
    if kind == 0:
        count = rng.choice((0, 2, 4, 5, 6, 7, 8, 12, 40))
        border = rng.random() < 0.3
        return [
            [rng.choice(FAR) if border else round(rng.uniform(-3, 12), 2) for _ in range(count)]
            for _ in range(rng.randint(0, 3))
        ]
    drawn = np.random.default_rng(rng.randrange(10**6)).random(size) < rng.random()
    runs = coco_mask.encode(np.asfortranarray(drawn.astype(np.uint8)))
    text = runs["counts"].decode()
    if kind == 1:
        return {"size": list(size), "counts": other_text(rng, text)}
    flat = np.flatnonzero(np.diff(drawn.ravel(order="F"), prepend=False))
    counts = np.diff(flat, prepend=0, append=drawn.size).tolist()
    return {"size": list(size), "counts": other_counts(rng, counts)}


LETTERS = ("0", "o", "P", "_", "oooooo", " ", "\0", "")


def other_text(rng: Random, text: str) -> str:
    """Compressed run lengths, three in four of them damaged."""
    letters = list(text)
    for _ in range(rng.choice((0, 1, 1, 3))):
        at = rng.randint(0, len(letters))
        letters[at : at + rng.randrange(2)] = rng.choice(LETTERS)
    return "".join(letters)


def other_counts(rng: Random, counts: list[int]) -> list[int]:
    """Run lengths, half of them with other numbers of the same sum, or of another one."""
    for _ in range(rng.choice((0, 1, 1))):
        one, two = rng.randrange(len(counts)), rng.randrange(len(counts))
        step = rng.choice((0, 1, -1, 7, 2**31, 2**32, -(2**32)))
        counts[one] += step
        if rng.random() < 0.7:
            counts[two] -= step
    return counts


def document(rng: Random) -> Any:
    """A file of instances; half of them with other values anywhere."""
    size = (rng.randint(1, 9), rng.randint(1, 9))
    annotations = [
        {
            "image_id": 1,
            "category_id": rng.choice((1, 18)),
            "area": rng.choice((1, 2.5, 40)),
            "iscrowd": 0,
            "segmentation": shape(rng, size),
        }
        for _ in range(rng.randint(1, 3))
    ]
    whole = {
        "images": [{"id": 1, "file_name": "a_1.jpg", "height": size[0], "width": size[1]}],
        "categories": [{"id": 1, "name": "cat"}, {"id": 18, "name": "dog"}],
        "annotations": annotations,
    }
    return changed(rng, whole, OTHERS) if rng.random() < 0.5 else whole


OTHERS = (*VALUES, 1e7, [1e8] * 8, [[1e6, -1e6] * 9])


def draw_all(folder: Path) -> None:
    """Read and draw documents; the last one lies in `folder`, whatever becomes of the process."""
    path = folder / "instances.json"

    def draw(content: Any) -> None:
        path.write_text(json.dumps(content), encoding="utf-8", errors="surrogatepass")
        _, masks = _read_instances(path, folder / "masks", False)
        for each in masks:
            drawn = []
            for _ in range(2):
                _make_mask(each)
                drawn.append(each.path.read_bytes())
            assert drawn[0] == drawn[1], "drawn otherwise the second time"

    results = fuzz(document, draw)
    assert results["read"] > 10


@pytest.mark.long
def test_any_shape_is_drawn_or_refused(tmp_path):
    """In a process of its own, whose death is seen."""
    child = multiprocessing.get_context("spawn").Process(target=draw_all, args=(tmp_path,))
    child.start()
    child.join()
    last = tmp_path / "instances.json"
    assert child.exitcode == 0, f"ended with {child.exitcode} at {last.read_text()[:3000]}"
