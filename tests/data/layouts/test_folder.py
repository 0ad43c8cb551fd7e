import os
import shutil
import sys
from pathlib import Path

import pytest
from tests.data.builders import write_image
from tests.data.reading import reader

from weclip.data.classes import ClassList
from weclip.data.dataset import LAYOUTS
from weclip.system.errors import InputError

FOLDER = reader("folder")
read_split, read_masked_split = FOLDER.read_split, FOLDER.read_masked_split
unlisted_images = FOLDER.unlisted_images


def test_split_column(folder_root: Path, pets: ClassList) -> None:
    val = read_split(folder_root, pets, "val", "tags.csv")
    assert [(s.name, s.tags) for s in val] == [("x/2", ()), ("3", (1,))]
    assert val[0].path == folder_root / "x" / "2.png"
    assert [s.name for s in read_split(folder_root, pets, "train", "tags.csv")] == ["x/1"]


def test_without_split_column_all_is_train(folder_root: Path, pets: ClassList) -> None:
    (folder_root / "tags.jsonl").write_text(
        '{"image": "x/1.jpg", "tags": ["cat"]}\n{"image": "3.jpg", "tags": ["dog"]}'
    )
    samples = read_split(folder_root, pets, "train", "tags.jsonl")
    assert [s.name for s in samples] == ["x/1", "3"]
    with pytest.raises(InputError, match=r"tags.jsonl: no split 'val'; available: train"):
        read_split(folder_root, pets, "val", "tags.jsonl")


def test_masked_images_only(folder_root: Path, pets: ClassList) -> None:
    (sample,) = read_masked_split(folder_root, pets, "val", "tags.csv")
    assert (sample.name, sample.tags) == ("3", (1,))
    assert sample.mask == folder_root / "masks" / "3.png"
    with pytest.raises(InputError, match=r"no mask for any of the 1 images .* example x/1.png"):
        read_masked_split(folder_root, pets, "train", "tags.csv")
    shutil.rmtree(folder_root / "masks")
    with pytest.raises(InputError, match=r"masks: mask folder not found"):
        read_masked_split(folder_root, pets, "val", "tags.csv")


def test_unlisted_images(folder_root: Path, pets: ClassList) -> None:
    assert unlisted_images(folder_root, pets, "tags.csv") == []
    new = ["z.JPG", "x/1.png", "x/masks/2.png", "notes.txt", ".hidden.jpg", ".cache/3.jpg"]
    for name in new:
        (folder_root / name).parent.mkdir(exist_ok=True)
        (folder_root / name).write_bytes(b"")
    assert unlisted_images(folder_root, pets, "tags.csv") == ["x/1.png", "z.JPG"]


def test_rows_name_images_in_any_spelling(folder_root: Path, pets: ClassList) -> None:
    (folder_root / "tags.csv").write_text("image,tags\n./x/1.jpg,cat\nx//2.png,\n3.jpg,dog\n")
    assert unlisted_images(folder_root, pets, "tags.csv") == []


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_that_are_no_text_can_be_shown(folder_root: Path, pets: ClassList) -> None:
    Path(os.fsdecode(bytes(folder_root) + b"/\xff.jpg")).write_bytes(b"")
    assert unlisted_images(folder_root, pets, "tags.csv") == []
    origins = LAYOUTS["folder"](folder_root, pets, "tags.csv").origins("train")
    assert list(origins.left_out.values()) == [[], ["\\xff.jpg"]]


def test_missing_parts(folder_root: Path, pets: ClassList) -> None:
    with pytest.raises(InputError, match=r"nowhere: data root not found"):
        read_split("nowhere", pets, "train", "tags.csv")
    (folder_root / "tags.csv").rename(folder_root / "named.csv")
    with pytest.raises(InputError, match=r"no tags \(.*nothing reads named.csv\); give"):
        read_split(folder_root, pets, "train")
    (folder_root / "named.csv").rename(folder_root / "tags.csv")
    with pytest.raises(InputError, match=r"no split 'test'; available: train, val"):
        read_split(folder_root, pets, "test", "tags.csv")
    (folder_root / "x" / "2.png").unlink()
    with pytest.raises(InputError, match=r"1 of 2 images of tags.csv missing, .* 'x/2.png'"):
        read_split(folder_root, pets, "val", "tags.csv")
    shutil.rmtree(folder_root / "x")
    with pytest.raises(InputError, match=r"1 of 1 images of tags.csv missing, .* 'x/1.jpg'"):
        read_split(folder_root, pets, "train", "tags.csv")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("/abs/1.jpg,cat,train\n", "line 2: '/abs/1.jpg' must be a path relative to the data"),
        ("../1.jpg,cat,train\n", "line 2: '../1.jpg' must be a path relative"),
        ("masks/3.png,cat,train\n", "line 2: 'masks/3.png' lies in masks/, which is reserved"),
        ("3.jpg,cat,train\n3.png,cat,train\n", "line 3: '3.png' and '3.jpg' differ only in their"),
    ],
)
def test_bad_rows(folder_root: Path, pets: ClassList, rows: str, message: str) -> None:
    (folder_root / "tags.csv").write_text("image,tags,split\n" + rows)
    with pytest.raises(InputError, match=r"tags.csv") as error:
        read_split(folder_root, pets, "train", "tags.csv")
    assert message in str(error.value)


def test_split_in_some_rows_only(folder_root: Path, pets: ClassList) -> None:
    (folder_root / "tags.jsonl").write_text(
        '{"image": "3.jpg", "tags": [], "split": "train"}\n{"image": "x/1.jpg", "tags": []}\n'
    )
    with pytest.raises(InputError, match=r"line 2: 'split' is missing here but given in other"):
        read_split(folder_root, pets, "train", "tags.jsonl")


def test_a_tags_file_under_a_usual_name_need_not_be_given(folder_root: Path, pets: ClassList):
    assert read_split(folder_root, pets, "val") == read_split(folder_root, pets, "val", "tags.csv")


def test_suffixes_may_be_left_out(folder_root: Path, pets: ClassList) -> None:
    (folder_root / "short.csv").write_text("image,tags\nx/1,cat\nx/2,\n3,dog\n")
    samples = read_split(folder_root, pets, "train", "short.csv")
    assert [str(sample.path.relative_to(folder_root)) for sample in samples] == [
        "x/1.jpg",
        "x/2.png",
        "3.jpg",
    ]
    assert unlisted_images(folder_root, pets, "short.csv") == []
    (folder_root / "short.csv").write_text("image,tags\nx/4,cat\n")
    with pytest.raises(InputError, match=r"1 of 1 images of short.csv missing, .* 'x/4'"):
        read_split(folder_root, pets, "train", "short.csv")


@pytest.mark.parametrize("split", [None, "train", "val"])
def test_one_folder_per_class(tmp_path: Path, pets: ClassList, split: str | None) -> None:
    base = tmp_path / split if split else tmp_path
    for file in ("cat/1.jpg", "cat/2.png", "dog/1.jpg", "other/1.jpg"):
        write_image(base / file)
    prefix = f"{split}/" if split else ""
    samples = read_split(tmp_path, pets, split or "train")
    assert {sample.name: sample.tags for sample in samples} == {
        f"{prefix}cat/1": (0,),
        f"{prefix}cat/2": (0,),
        f"{prefix}dog/1": (1,),
    }
    assert all(sample.path.is_file() for sample in samples)
    with pytest.raises(InputError, match=r"no split 'test'|no tags"):
        read_split(tmp_path, pets, "test")
