"""Folders named after classes: at any depth, in splits, and names that may be another thing."""

from pathlib import Path

import pytest
from tests.data.builders import write_image

from weclip.data.classes import ClassList
from weclip.data.dataset import Dataset, open_dataset
from weclip.data.tags.reading import TagsChoice
from weclip.system.errors import InputError


def tags_of(dataset: Dataset, split: str) -> dict[str, tuple[str, ...]]:
    """Names of tags by name of image."""
    names = dataset.classes.names
    return {s.name: tuple(names[t] for t in s.tags) for s in dataset.read_split(split)}


def write_images(root: Path, *files: str) -> Path:
    for file in files:
        write_image(root / file)
    return root


@pytest.mark.parametrize("name", ["labels", "images", "overlays", "val", "Train"])
def test_a_class_list_makes_such_a_name_a_class(tmp_path: Path, name: str):
    write_images(tmp_path, f"{name}/1.jpg", "dog/2.jpg")
    (tmp_path / "classes.yaml").write_text(f"classes: [{name}, dog]")
    assert tags_of(open_dataset("folder", tmp_path), "train") == {
        f"{name}/1": (name,),
        "dog/2": ("dog",),
    }


def test_class_folders_at_any_depth(tmp_path: Path, pets: ClassList):
    files = "dog/cam1/1.jpg", "dog/cam2/day/1.jpg", "cat/x.jfif", "background/far/1.jpg"
    write_images(tmp_path, *files)
    write_images(tmp_path, "loose.jpg")
    expected = {
        "cat/x": ("cat",),
        "dog/cam1/1": ("dog",),
        "dog/cam2/day/1": ("dog",),
        "background/far/1": (),
    }
    for classes in (None, pets):
        dataset = open_dataset("folder", tmp_path, classes=classes)
        assert tags_of(dataset, "train") == expected
        assert dataset.layout.holdings().unused == ("loose.jpg",)
        assert "images in no folder of a class: 1 (loose.jpg)" in dataset.understood(None, None)[-1]


def test_folders_have_no_controls_to_choose_from(tmp_path: Path):
    write_images(tmp_path, "dog/1.jpg", "cat/2.jpg")
    dataset = open_dataset("folder", tmp_path, choice=TagsChoice(control="breed"))
    line = r"data.tags_control=breed, but a data set whose folders tell the tags has no controls"
    with pytest.raises(InputError, match=line):
        dataset.read_split("train")


def test_folders_below_may_be_the_classes(tmp_path: Path, pets: ClassList):
    write_images(tmp_path, "all/dog/1.jpg", "all/cat/2.jpg")
    with pytest.raises(InputError, match=r"only folder of a class is 'all'.*folders cat, dog; if"):
        open_dataset("folder", tmp_path)
    expected = {"all/cat/2": ("cat",), "all/dog/1": ("dog",)}
    assert tags_of(open_dataset("folder", tmp_path, classes=pets), "train") == expected
    assert open_dataset("folder", tmp_path / "all").doubts() == {"deeper_folders": []}
    write_images(tmp_path, "more/cow/3.jpg", "more/hen/3.jpg", "some/a/1.jpg", "some/2.jpg")
    dataset = open_dataset("folder", tmp_path)
    assert dataset.classes.names == ("all", "more", "some")
    assert dataset.doubts() == {"deeper_folders": ["all: cat, dog", "more: cow, hen"]}
    assert open_dataset("folder", tmp_path, classes=pets).doubts() == {}


def test_the_folder_of_background_in_any_case(tmp_path: Path, pets: ClassList):
    write_images(tmp_path, "Background/1.jpg", "dog/2.jpg")
    for classes in (None, pets):
        dataset = open_dataset("folder", tmp_path, classes=classes)
        assert tags_of(dataset, "train") == {"dog/2": ("dog",), "Background/1": ()}


def test_class_folders_that_differ_in_case_only(tmp_path: Path):
    write_images(tmp_path, "train/Dog/1.jpg", "val/dog/2.jpg")
    with pytest.raises(InputError, match="folders 'Dog' and 'dog' differ only in upper and lower"):
        open_dataset("folder", tmp_path)


def test_one_class_with_one_folder_below_is_a_class(tmp_path: Path):
    write_images(tmp_path, "dog/cam1/1.jpg", "dog/cam1/2.jpg")
    assert open_dataset("folder", tmp_path).classes.names == ("dog",)


def test_a_voc_folder_without_lists_is_told_the_way(tmp_path: Path):
    write_images(tmp_path, "JPEGImages/1.jpg")
    (tmp_path / "Annotations").mkdir()
    with pytest.raises(InputError, match=r"tags file; weclip convert .*Annotations tags.csv"):
        open_dataset("folder", tmp_path)


def test_with_a_list_the_class_may_lie_deeper(tmp_path: Path, pets: ClassList):
    write_images(tmp_path, "outdoor/dog/1.jpg", "indoor/cat/2.jpg", "indoor/cow/3.jpg")
    dataset = open_dataset("folder", tmp_path, classes=pets)
    assert tags_of(dataset, "train") == {"indoor/cat/2": ("cat",), "outdoor/dog/1": ("dog",)}
    assert dataset.understood(None, None)[-1] == (
        "left out: images in folders that the class list does not name: 1 (indoor/cow/3.jpg)"
    )
    write_images(tmp_path, "dog/cat/4.jpg")
    with pytest.raises(InputError, match=r"4.jpg: its folders name two classes, 'dog' and 'cat'"):
        open_dataset("folder", tmp_path, classes=pets).read_split("train")


@pytest.mark.parametrize(
    "pattern",
    [
        "{split}/{name}/1.jpg",
        "images/{split}/{name}/1.jpg",
        "{split}/images/{name}/1.jpg",
        "{name}/{split}/1.jpg",
        "{split}/{name}/cam1/1.jpg",
    ],
)
def test_splits_and_classes_in_any_order(tmp_path: Path, pattern: str):
    for split, name in (("Train", "cat"), ("Train", "dog"), ("valid", "dog")):
        write_images(tmp_path, pattern.format(split=split, name=name))
    dataset = open_dataset("folder", tmp_path)
    assert dataset.classes.names == ("cat", "dog")
    assert sorted(tags_of(dataset, "train").values()) == [("cat",), ("dog",)]
    assert list(tags_of(dataset, "val").values()) == [("dog",)]
    assert list(tags_of(dataset, "Validation").values()) == [("dog",)]


def test_images_beside_the_splits_are_left_out(tmp_path: Path):
    write_images(tmp_path, "train/dog/1.jpg", "extra/dog/2.jpg", "train/3.jpg")
    dataset = open_dataset("folder", tmp_path, classes="voc")
    assert tags_of(dataset, "train") == {"train/dog/1": ("dog",)}
    assert dataset.layout.origins("train").left_out == {
        "images in no folder of a split": ["extra/dog/2.jpg"],
        "images in no folder of a class": ["train/3.jpg"],
    }
