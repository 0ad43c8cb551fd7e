"""Semantic masks of COCO's instances against those that published code makes."""

import json
from collections import defaultdict
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tests.golden.folders import label_cases

from weclip.prepare.coco import mask_of_instances

pytestmark = [
    pytest.mark.skipif(not label_cases("coco2voc"), reason="no golden case of coco2voc"),
    pytest.mark.skipif(find_spec("pycocotools") is None, reason="weclip[prepare] is not installed"),
]


@pytest.mark.parametrize("border", [False, True], ids=["plain", "void border"])
@pytest.mark.parametrize("folder", label_cases("coco2voc"), ids=lambda path: path.name)
def test_every_pixel(folder: Path, border: bool):
    document = json.loads((folder / "instances.json").read_text())
    golden = load_file(folder / "case.safetensors")
    ids = {category["id"]: category["id"] for category in document["categories"]}
    sizes = {image["id"]: (image["height"], image["width"]) for image in document["images"]}
    instances = defaultdict(list)
    for each in document["annotations"]:
        instances[each["image_id"]].append(each)
    assert instances
    for number, own in instances.items():
        mask = mask_of_instances(own, sizes[number], ids, void_border=border)
        expected = golden[f"{'border' if border else 'mask'}_{number}"]
        assert torch.equal(torch.from_numpy(mask).long(), expected.long()), number
