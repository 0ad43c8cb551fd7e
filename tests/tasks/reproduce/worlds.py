"""Tiny data in the layouts that `weclip prepare` leaves, and changes that make all stages quick."""

import shutil
from pathlib import Path

import numpy as np
from PIL import Image
from tests.data.builders import write_annotation
from tests.end_to_end import worlds

from weclip.data.classes import load_classes
from weclip.tasks.reproduce.published import read_published

QUICK = (
    "data.crop_size=48 data.workers=0 data.scale_range=[1.0,1.5] method.weclip.width=16 "
    "method.weclip.blocks=1 method.weclip.heads=2 method.weclip_plus.width=16 "
    "method.weclip_plus.blocks=1 method.weclip_plus.heads=2 par.iterations=2 par.dilations=[1,2] "
    "train.batch_size=2 train.steps=2 train.eval_every=0 train.save_every=1 eval.long_side=48"
).split()


OF_LABELS = [change for change in QUICK if not change.startswith(("train.", "method.", "eval."))]
"""Those that a method without training reads."""


def quick(name: str) -> list[str]:
    """The changes that a table may have."""
    return QUICK if read_published(name).method is None else OF_LABELS


def write_voc(root: Path) -> Path:
    """VOC with SBD below a root: annotations, `train_aug`, and two test images without either."""
    voc = worlds.write_voc(root / "VOCdevkit" / "VOC2012")
    (voc / "tags.csv").unlink()
    for name, tags in worlds.scenes():
        write_annotation(voc / "Annotations" / f"{name}.xml", *tags)
    lists = voc / "ImageSets" / "Segmentation"
    shutil.copy(lists / "train.txt", lists / "train_aug.txt")
    shutil.copytree(voc / "SegmentationClass", voc / "SegmentationClassAug")
    for index in range(2):
        image, _ = worlds.draw(("dog",), 50 + index)
        Image.fromarray(image).save(voc / "JPEGImages" / f"2008_{index}.jpg")
    (lists / "test.txt").write_text("2008_0\n2008_1\n", encoding="utf-8")
    return root


def write_coco(root: Path) -> Path:
    """COCO 2014 below a root; masks of `val` hold COCO's ids."""
    folder = worlds.write_coco(root / "MSCOCO")
    ids = np.zeros(256, np.uint8)
    for own_id, name in enumerate(worlds.COLOURS, 1):
        ids[own_id] = load_classes("coco").index(name) + 1
    for path in (folder / "SegmentationClass" / "val").iterdir():
        with Image.open(path) as mask:
            changed = ids[np.asarray(mask)]
        Image.fromarray(changed).save(path)
    return root
