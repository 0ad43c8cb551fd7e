import shutil
import sys
from pathlib import Path

import pytest

from weclip.data.classes import ClassList
from weclip.data.dataset import LAYOUTS, open_dataset
from weclip.errors import InputError

CASES = [
    ("voc", "train_aug", None, ["SegmentationClass", "SegmentationClassAug"]),
    ("coco", "val", None, ["SegmentationClass"]),
    ("folder", "train", "tags.csv", ["masks"]),
]

_watched: list[str] | None = None


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if _watched is not None and event in ("open", "os.listdir", "os.scandir"):
        _watched.append(str(arguments[0]))


sys.addaudithook(_watch)


@pytest.fixture
def sets(voc_root: Path, coco_root: Path, folder_root: Path) -> dict[str, Path]:
    shutil.copytree(voc_root / "SegmentationClass", voc_root / "SegmentationClassAug")
    return {"voc": voc_root, "coco": coco_root, "folder": folder_root}


@pytest.fixture
def lists(voc_classes: ClassList, pets: ClassList) -> dict[str, ClassList]:
    return {"voc": voc_classes, "coco": pets, "folder": pets}


@pytest.mark.parametrize(("layout", "split", "tags_file", "mask_folders"), CASES)
def test_training_never_touches_a_mask_folder(
    sets: dict[str, Path],
    lists: dict[str, ClassList],
    layout: str,
    split: str,
    tags_file: str | None,
    mask_folders: list[str],
) -> None:
    global _watched
    root = sets[layout]
    dataset = open_dataset(layout, root, classes=lists[layout], tags_file=tags_file)
    _watched = touched = []
    try:
        with_masks = dataset.read_split(split)
    finally:
        _watched = None
    assert any(str(root) in path for path in touched)  # the watch works
    assert not [path for path in touched for folder in mask_folders if folder in path]

    for folder in mask_folders:
        shutil.rmtree(root / folder)
    assert dataset.read_split(split) == with_masks
    with pytest.raises(InputError, match="mask folder not found"):
        dataset.read_masked_split(split)


@pytest.mark.parametrize(("layout", "split"), [("voc", "val"), ("coco", "val"), ("folder", "val")])
def test_masked_split_matches_split(
    sets: dict[str, Path], lists: dict[str, ClassList], layout: str, split: str
) -> None:
    tags_file = "tags.csv" if layout == "folder" else None
    given = {"classes": lists[layout], "tags_file": tags_file}
    tagged = open_dataset(layout, sets[layout], **given).read_split(split)
    masked = open_dataset(layout, str(sets[layout]), **given).read_masked_split(split)
    assert {(s.name, s.path, s.tags) for s in masked} <= {(s.name, s.path, s.tags) for s in tagged}
    assert all(s.mask.is_file() for s in masked)


def test_unknown_format(pets: ClassList) -> None:
    assert set(LAYOUTS) == {"voc", "coco", "folder"}
    with pytest.raises(InputError, match=r"data.format: unknown format 'VOC2'; known: voc, coco, "):
        open_dataset("VOC2", ".", classes=pets)
    with pytest.raises(InputError, match=r"did you mean 'coco'\?"):
        open_dataset("cocoo", ".", classes=pets)
