"""Folders of splits: with a table in each, with folders of classes, with nothing; and tables that
tell a split under another name."""

import json
from pathlib import Path

import pytest
from tests.data.builders import write_image

from weclip.data.classes import ClassList
from weclip.data.dataset import Dataset, open_dataset
from weclip.data.images.listing import AUTO
from weclip.system.errors import InputError


def tags_of(dataset: Dataset, split: str) -> dict[str, tuple[str, ...]]:
    """Names of tags by name of image."""
    names = dataset.classes.names
    return {s.name: tuple(names[t] for t in s.tags) for s in dataset.read_split(split)}


def write_images(root: Path, *files: str) -> Path:
    for file in files:
        write_image(root / file)
    return root


FORMATS = {
    "tags.csv": "image,tags\n{image},{tag}\n",
    "tags.jsonl": '{{"image": "{image}", "tags": ["{tag}"]}}\n',
    "metadata.csv": "file_name,tags\n{image},{tag}\n",
    "metadata.jsonl": '{{"file_name": "{image}", "tags": ["{tag}"]}}\n',
    "_annotations.coco.json": json.dumps(
        {
            "images": [{"id": 1, "file_name": "@image"}],
            "annotations": [{"image_id": 1, "category_id": 4}],
            "categories": [{"id": 4, "name": "@tag"}],
        }
    )
    .replace("{", "{{")
    .replace("}", "}}")
    .replace("@image", "{image}")
    .replace("@tag", "{tag}"),
}


@pytest.mark.parametrize("base", ["", "images/", "data/"])
@pytest.mark.parametrize("names", [("train", "val"), ("Training", "valid"), ("train2017", "Dev")])
@pytest.mark.parametrize("table", FORMATS)
def test_a_table_in_each_split(tmp_path: Path, base: str, names: tuple[str, str], table: str):
    """Equal names in two splits, as tools number them, are two images."""
    for folder, tag in zip(names, ("cat", "dog"), strict=True):
        write_images(tmp_path / base / folder, "1.jpg")
        text = FORMATS[table].format(image="1.jpg", tag=tag)
        (tmp_path / base / folder / table).write_text(text)
    dataset = open_dataset("folder", tmp_path)
    assert dataset.classes.names == ("cat", "dog")
    assert tags_of(dataset, "train") == {f"{base}{names[0]}/1": ("cat",)}
    assert tags_of(dataset, "val") == {f"{base}{names[1]}/1": ("dog",)}
    assert dataset.layout.holdings().unused == ()
    with pytest.raises(InputError, match="no split 'test'; available"):
        dataset.read_split("test")


def test_tables_and_images_beside_each_other(tmp_path: Path):
    """Roboflow's layout for segmentation: the images in a folder of their own."""
    for split in ("train", "valid"):
        write_images(tmp_path / split / "images", "1.jpg")
        (tmp_path / split / "tags.csv").write_text("image,tags\n1.jpg,cat\n")
    assert tags_of(open_dataset("folder", tmp_path), "val") == {"valid/images/1": ("cat",)}


def test_a_split_without_a_table_is_left_out_and_said(tmp_path: Path):
    write_images(tmp_path, "train/1.jpg", "test/2.jpg")
    (tmp_path / "train" / "tags.csv").write_text("image,tags\n1.jpg,cat\n")
    dataset = open_dataset("folder", tmp_path)
    assert tags_of(dataset, "train") == {"train/1": ("cat",)}
    assert dataset.layout.holdings().unused == ("test/2.jpg",)
    assert dataset.understood("train", None)[-1] == (
        "left out: images that the tags file does not name: 1 (test/2.jpg)"
    )


def test_another_split_in_a_splits_own_table(tmp_path: Path):
    write_images(tmp_path, "train/1.jpg")
    (tmp_path / "train" / "tags.csv").write_text("image,tags,split\n1.jpg,cat,Training\n")
    assert tags_of(open_dataset("folder", tmp_path), "train") == {"train/1": ("cat",)}
    (tmp_path / "train" / "tags.csv").write_text("image,tags,split\n1.jpg,cat,val\n")
    with pytest.raises(InputError, match=r"tags.csv, line 2: split 'val' in the folder of split"):
        open_dataset("folder", tmp_path).read_split("train")


@pytest.mark.parametrize(
    "files",
    [
        ("train/1.jpg", "val/2.jpg"),
        ("train2017/1.jpg", "val2017/2.jpg"),
        ("Train/1.jpg", "Valid/2.jpg"),
        ("images/1.jpg", "labels/1.png"),
        ("images/train/1.jpg", "images/val/1.jpg", "labels/train/1.png"),
        ("masks/1.png", "overlays/1.png"),
        ("obj_train_data/1.jpg", "SegmentationClassAug/1.png"),
        ("train_images/1.jpg", "train_masks/1.png"),
        ("images/images/1.jpg", "annotations/1.png"),
    ],
)
def test_names_of_splits_and_roles_are_no_classes(tmp_path: Path, files: tuple[str, ...]):
    write_images(tmp_path, *files)
    with pytest.raises(InputError, match=r"no tags.*; give data.tags_file, or put one of tags.csv"):
        open_dataset("folder", tmp_path)
    with pytest.raises(InputError, match=r"no tags|'train' may be a split or the class"):
        open_dataset("folder", tmp_path, classes="voc").read_split("train")


@pytest.mark.parametrize(
    ("column", "asked"),
    [("Train", "train"), ("TRAINING", "train"), ("train", "Train"), ("validation", "val")],
)
def test_a_column_of_splits_in_other_words(tmp_path: Path, column: str, asked: str):
    write_images(tmp_path, "1.jpg", "2.jpg")
    (tmp_path / "tags.csv").write_text(f"image,tags,split\n1.jpg,cat,{column}\n2.jpg,dog,test\n")
    assert list(tags_of(open_dataset("folder", tmp_path), asked)) == ["1"]


def test_folders_tell_the_split_of_a_table_without_one(tmp_path: Path):
    """Images that are kept back in val/ must not be trained on for want of a column."""
    write_images(tmp_path, "train/1.jpg", "val/2.jpg")
    (tmp_path / "tags.csv").write_text("image,tags\ntrain/1.jpg,cat\nval/2.jpg,dog\n")
    dataset = open_dataset("folder", tmp_path)
    assert list(tags_of(dataset, "train")) == ["train/1"]
    assert list(tags_of(dataset, "val")) == ["val/2"]
    write_images(tmp_path, "3.jpg")
    with (tmp_path / "tags.csv").open("a") as file:
        file.write("3.jpg,cat\n")
    with pytest.raises(InputError, match=r"'3.jpg' lies in no folder of a split.*column 'split'"):
        open_dataset("folder", tmp_path).read_split("train")
    (tmp_path / "tags.csv").write_text("image,tags\ntrain/1.jpg,cat\n3.jpg,dog\n")
    assert list(tags_of(open_dataset("folder", tmp_path), "train")) == ["train/1", "3"]


def test_rows_may_leave_out_the_folder_of_their_split(tmp_path: Path):
    """CVAT's projects: images/<subset>/1.jpg is name="1.jpg" subset="Train"."""
    write_images(tmp_path, "images/Train/1.jpg", "images/Validation/2.jpg")
    (tmp_path / "annotations.xml").write_text(
        '<annotations><image name="1.jpg" subset="Train"><tag label="cat"/></image>'
        '<image name="2.jpg" subset="Validation"><tag label="dog"/></image></annotations>'
    )
    dataset = open_dataset("folder", tmp_path)
    assert tags_of(dataset, "train") == {"images/Train/1": ("cat",)}
    assert tags_of(dataset, "val") == {"images/Validation/2": ("dog",)}


def test_a_row_that_may_mean_two_files_is_refused(tmp_path: Path):
    write_images(tmp_path, "images/1.jpg", "data/1.jpg")
    (tmp_path / "tags.csv").write_text("image,tags\n1.jpg,cat\n")
    with pytest.raises(InputError, match=r"line 2: '1.jpg' may be (data|images)/1.jpg or"):
        open_dataset("folder", tmp_path).read_split("train")
    write_images(tmp_path, "1.jpg")
    assert list(tags_of(open_dataset("folder", tmp_path), "train")) == ["1"]


def test_uploads_of_label_studio_are_the_users_files(tmp_path: Path):
    write_images(tmp_path, "1.jpg", "0a1b2c3d-2.jpg")
    task = {"annotations": [{"result": [{"type": "choices", "value": {"choices": ["cat"]}}]}]}
    tasks = [
        task | {"data": {"image": f"/data/upload/3/8b2c1f0e-{name}"}}
        for name in ("1.jpg", "0a1b2c3d-2.jpg")
    ]
    (tmp_path / "p.json").write_text(json.dumps(tasks))
    (tmp_path / "dataset.yaml").write_text("tags: p.json")
    assert list(tags_of(open_dataset("folder", tmp_path), "train")) == ["1", "0a1b2c3d-2"]


def test_auto_reads_no_table_to_refuse_a_folder(tmp_path: Path, pets: ClassList):
    write_images(tmp_path, "1.jpg", "2.jpg", "3.jpg")

    def names(text: str, split: str = "train") -> list[str]:
        (tmp_path / "tags.csv").write_text(text)
        dataset = open_dataset("folder", tmp_path, classes=pets, tags_file=AUTO)
        samples = dataset.read_split(split)
        assert all(sample.tags == () for sample in samples)
        return [sample.name for sample in samples]

    assert names("image,tags\n1.jpg,zebra\n2.jpg,Dog\n") == ["1", "2"]
    assert names("image,tags\n1.jpg,Dog\n2.jpg,dog\n") == ["1", "2"]
    assert names("image,tags,split\n1.jpg,zebra,train\n2.jpg,,Valid\n", "val") == ["2"]
    assert names("image,zebra,lion\n1.jpg,1,0\n3.jpg,0,0\n") == ["1", "3"]
    assert names("image,tags\n1.jpg,cat\ngone.jpg,dog\n") == ["1"]
    assert names("image,tags\ngone.jpg,dog\n") == ["1", "2", "3"]
    assert names("name;what\n1;cat\n") == ["1", "2", "3"]
    dataset = open_dataset("folder", tmp_path, classes=pets, tags_file=AUTO)
    assert (
        "tags files that could not tell images and splits: 1"
        in dataset.understood("train", None)[-1]
    )


def test_auto_keeps_split_folders_apart(tmp_path: Path, pets: ClassList):
    write_images(tmp_path, "Train/1.jpg", "valid/2.jpg", "overlays/3.png", "4.jpg")
    dataset = open_dataset("folder", tmp_path, classes=pets, tags_file=AUTO)
    assert [s.name for s in dataset.read_split("train")] == ["Train/1"]
    assert [s.name for s in dataset.read_split("val")] == ["valid/2"]
    assert dataset.layout.origins("train").left_out == {
        "folders of masks, labels or the like": ["overlays"],
        "images in no folder of a split": ["4.jpg"],
    }
