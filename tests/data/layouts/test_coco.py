import shutil
from pathlib import Path

import pytest
from tests.data.reading import reader

from weclip.data.classes import ClassList
from weclip.system.errors import InputError

NAMES = ["COCO_val2014_000000000001", "COCO_val2014_000000000003"]

read_split, read_masked_split = reader("coco").read_split, reader("coco").read_masked_split


def test_split_is_the_images_with_tags(coco_root: Path, pets: ClassList) -> None:
    samples = read_split(coco_root, pets, "val")
    assert [(s.name, s.tags) for s in samples] == list(zip(NAMES, [(0, 1), (2,)], strict=True))
    assert samples[1].path == coco_root / "JPEGImages" / "val" / f"{NAMES[1]}.jpg"
    assert read_split(coco_root.parent, pets, "val") == samples


def test_both_mask_names(coco_root: Path, pets: ClassList) -> None:
    samples = read_masked_split(coco_root, pets, "val")
    assert [(s.name, s.tags) for s in samples] == list(zip(NAMES, [(0, 1), (2,)], strict=True))
    assert [s.mask.name for s in samples] == ["000000000001.png", f"{NAMES[1]}.png"]


def test_tags_file(coco_root: Path, pets: ClassList) -> None:
    expected = read_split(coco_root, pets, "val")
    shutil.rmtree(coco_root / "annotations")
    (coco_root / "tags.csv").write_text(
        f"image,tags\n{NAMES[0]}.jpg,cat;dog\n000000000003,traffic light\n"
        "COCO_val2014_000000000002.jpg,\nCOCO_train2014_000000000009.jpg,dog\n"
    )
    assert read_split(coco_root, pets, "val", "tags.csv") == expected


def test_missing_parts(coco_root: Path, pets: ClassList) -> None:
    with pytest.raises(InputError, match=r"no COCO data set here: expected the folder JPEGImages"):
        read_split(coco_root / "annotations", pets, "val")
    with pytest.raises(InputError, match=r"JPEGImages: no split 'train_aug'; available: val"):
        read_split(coco_root, pets, "train_aug")
    (coco_root / "tags.csv").write_text("image,tags\nother,cat\n")
    with pytest.raises(InputError, match=r"tags.csv: no image of .*val has tags in it"):
        read_split(coco_root, pets, "val", "tags.csv")
    (coco_root / "SegmentationClass" / "val" / "000000000001.png").unlink()
    with pytest.raises(InputError, match=r"val: 1 of 2 masks missing, .* '000000000001'"):
        read_masked_split(coco_root, pets, "val")
    shutil.rmtree(coco_root / "SegmentationClass")
    with pytest.raises(InputError, match=r"val: mask folder not found"):
        read_masked_split(coco_root, pets, "val")
    (coco_root / "JPEGImages" / "val" / f"{NAMES[0]}.jpg").unlink()
    with pytest.raises(InputError, match=r"val: 1 of 2 annotated images missing"):
        read_split(coco_root, pets, "val")
    (coco_root / "annotations" / "instances_val2014.json").unlink()
    with pytest.raises(InputError, match=r"instances_val2014.json: annotations not found"):
        read_split(coco_root, pets, "val")
