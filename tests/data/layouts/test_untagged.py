"""`auto` in place of a tags file: images and splits of every layout, and never a tag."""

import shutil
from pathlib import Path

import pytest
from tests.data.builders import write_image

from weclip.data.classes import ClassList
from weclip.data.dataset import open_dataset
from weclip.data.images.listing import AUTO
from weclip.system.errors import InputError


def names(dataset, split: str) -> list[str]:
    samples = dataset.read_split(split)
    assert all(sample.tags == () and sample.path.is_file() for sample in samples)
    return [sample.name for sample in samples]


def test_voc_needs_lists_and_images_only(voc_root: Path, voc_classes: ClassList) -> None:
    shutil.rmtree(voc_root / "Annotations")
    dataset = open_dataset("voc", voc_root, classes=voc_classes, tags_file=AUTO)
    assert names(dataset, "train_aug") == ["c", "a"]


def test_voc_masks_come_without_tags(voc_root: Path, voc_classes: ClassList) -> None:
    dataset = open_dataset("voc", voc_root, classes=voc_classes, tags_file=AUTO)
    assert [each.tags for each in dataset.read_masked_split("train_aug")] == [None, None]


def test_coco_has_all_images(coco_root: Path, pets: ClassList) -> None:
    shutil.rmtree(coco_root / "annotations")
    dataset = open_dataset("coco", coco_root, classes=pets, tags_file=AUTO)
    assert names(dataset, "val") == [f"COCO_val2014_00000000000{i}" for i in (1, 2, 3)]
    masked = dataset.read_masked_split("val")
    assert [(each.name[-1], each.tags) for each in masked] == [("1", None), ("3", None)]


def test_a_table_only_tells_images_and_splits(folder_root: Path, pets: ClassList) -> None:
    write_image(folder_root / "not_listed.jpg")
    dataset = open_dataset("folder", folder_root, classes=pets, tags_file=AUTO)
    assert names(dataset, "train") == ["x/1"]
    assert names(dataset, "val") == ["x/2", "3"]
    assert [each.tags for each in dataset.read_masked_split("val")] == [None]
    assert list(dataset.layout.holdings().unused) == ["not_listed.jpg"]


def test_without_a_table_all_images_are_train(folder_root: Path, pets: ClassList) -> None:
    (folder_root / "tags.csv").unlink()
    write_image(folder_root / ".hidden" / "4.jpg")
    write_image(folder_root / "masks" / "not_an_image.jpg")
    dataset = open_dataset("folder", folder_root, classes=pets, tags_file=AUTO)
    assert names(dataset, "train") == ["3", "x/1", "x/2"]
    assert list(dataset.layout.holdings().unused) == []
    with pytest.raises(InputError, match=r"no split 'val'; available: train"):
        dataset.read_split("val")


def test_class_folders_tell_no_tag(tmp_path: Path, pets: ClassList) -> None:
    for file in ("cat/1.jpg", "dog/2.jpg", "elsewhere/3.jpg"):
        write_image(tmp_path / file)
    dataset = open_dataset("folder", tmp_path, classes=pets, tags_file=AUTO)
    assert names(dataset, "train") == ["cat/1", "dog/2", "elsewhere/3"]


def test_split_folders_are_splits_where_both_are(tmp_path: Path, pets: ClassList) -> None:
    write_image(tmp_path / "train" / "1.jpg")
    dataset = open_dataset("folder", tmp_path, classes=pets, tags_file=AUTO)
    assert names(dataset, "train") == ["train/1"]
    write_image(tmp_path / "val" / "2.jpg")
    dataset = open_dataset("folder", tmp_path, classes=pets, tags_file=AUTO)
    assert names(dataset, "train") == ["train/1"]
    assert names(dataset, "val") == ["val/2"]


def test_a_ratio_splits_what_is_there(tmp_path: Path, pets: ClassList) -> None:
    for index in range(8):
        write_image(tmp_path / f"{index}.jpg")
    (tmp_path / "dataset.yaml").write_text("split: {val: 0.25}\n")
    dataset = open_dataset("folder", tmp_path, classes=pets, tags_file=AUTO)
    train, val = names(dataset, "train"), names(dataset, "val")
    assert len(val) == 2
    assert sorted(train + val) == [str(index) for index in range(8)]


@pytest.mark.parametrize("listed", ["classes.yaml", "dataset.yaml"])
def test_names_come_from_a_list_never_from_tags(folder_root: Path, listed: str) -> None:
    with pytest.raises(
        InputError, match=r"pets: no class list, and tags by CLIP \(auto\), or labels"
    ):
        open_dataset("folder", folder_root, tags_file=AUTO)
    (folder_root / listed).write_text("classes: [dog, cat]\n")
    dataset = open_dataset("folder", folder_root, tags_file=AUTO)
    assert dataset.classes.names == ("dog", "cat")
    assert not dataset.guessed


def test_a_file_of_that_name_is_given_with_its_folder(folder_root: Path, pets: ClassList) -> None:
    """`auto` is a word; a tags file always ends in a suffix, so the two cannot be confused."""
    (folder_root / "auto").write_text("image,tags\nx/1.jpg,cat\n")
    dataset = open_dataset("folder", folder_root, classes=pets, tags_file=AUTO)
    assert names(dataset, "train") == ["x/1"]
