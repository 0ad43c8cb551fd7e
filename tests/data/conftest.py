"""Small data sets on disk, one fixture per layout."""

from pathlib import Path

import pytest
from tests.data.builders import write_annotation, write_image, write_instances, write_mask

from weclip.data.classes import ClassList, load_classes


@pytest.fixture(scope="session")
def voc_classes() -> ClassList:
    return load_classes("voc")


@pytest.fixture
def pets() -> ClassList:
    return ClassList(("cat", "dog", "traffic light"), (("cat",), ("dog",), ("light",)), ("grass",))


@pytest.fixture
def voc_root(tmp_path: Path) -> Path:
    """A VOC2012 folder of three images a (cat, dog), b (no tags), c (person)."""
    root = tmp_path / "VOC2012"
    for name, tags in {"a": ("dog", "cat", "dog"), "b": (), "c": ("person",)}.items():
        write_image(root / "JPEGImages" / f"{name}.jpg")
        write_annotation(root / "Annotations" / f"{name}.xml", *tags)
        write_mask(root / "SegmentationClass" / f"{name}.png")
    lists = root / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "train_aug.txt").write_text("c\na\n\n")
    (lists / "val.txt").write_text("b\n")
    return root


@pytest.fixture
def coco_root(tmp_path: Path) -> Path:
    """An MSCOCO folder with split val; masks without the prefix, the last one with it."""
    root = tmp_path / "MSCOCO"
    write_instances(root / "annotations" / "instances_val2014.json")
    for i in (1, 2, 3):
        write_image(root / "JPEGImages" / "val" / f"COCO_val2014_00000000000{i}.jpg")
    write_mask(root / "SegmentationClass" / "val" / "000000000001.png")
    write_mask(root / "SegmentationClass" / "val" / "COCO_val2014_000000000003.png")
    return root


@pytest.fixture
def folder_root(tmp_path: Path) -> Path:
    """A plain folder: x/1.jpg (cat, train), x/2.png (val), 3.jpg (dog, val; has a mask)."""
    root = tmp_path / "pets"
    for file in ("x/1.jpg", "x/2.png", "3.jpg"):
        write_image(root / file)
    write_mask(root / "masks" / "3.png")
    (root / "tags.csv").write_text(
        "image,tags,split\nx/1.jpg,cat,train\nx/2.png,,val\n3.jpg,dog,val\n"
    )
    return root
