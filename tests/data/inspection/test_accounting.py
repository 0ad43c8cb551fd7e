"""Every file of a data set is read, or named."""

from pathlib import Path

import pytest
from tests.data.builders import write_image, write_mask

from weclip.data.classes import ClassList
from weclip.data.dataset import open_dataset
from weclip.data.inspection.accounting import account
from weclip.system.files import write_json


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two images with tags, one with a mask."""
    root = tmp_path / "root"
    for name in ("a/1.jpg", "2.jpg"):
        write_image(root / name)
    write_mask(root / "masks" / "a" / "1.png")
    (root / "tags.csv").write_text("image,tags\na/1.jpg,cat\n2.jpg,dog\n")
    return root


def found(root: Path, classes: ClassList | None = None, format: str = "folder", **known):
    given = known.pop("known", ())
    return account(open_dataset(format, root, classes=classes, **known).layout.holdings(), given)


def test_nothing_is_left(root: Path):
    assert found(root) == {}
    (root / "classes.yaml").write_text("classes: [cat, dog]")
    (root / "dataset.yaml").write_text("tags: tags.csv")
    for name in (".git/config", ".DS_Store", "Thumbs.db"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).touch()
    assert found(root) == {}


SIBLINGS = {
    "labels/1.txt": "unread_annotations",
    "2.txt": "unread_annotations",
    "classes.txt": "unread_annotations",
    "train.txt": "unread_annotations",
    "data.yaml": "unread_annotations",
    "instances.json": "unread_annotations",
    "a/1.xml": "unread_annotations",
    "a/_classes.csv": "unread_annotations",
    "metadata.parquet": "unread_annotations",
    "labels.npy": "unread_annotations",
    "tags.xlsx": "unread_annotations",
    "metadata.jsonl": "unread_annotations",
    "notes.txt": "other_files",
    "README.md": "other_files",
    "readme.txt": "other_files",
    "images.zip": "other_files",
    "model.bin": "other_files",
    "3.HEIC.txt": "other_files",
    "a/film.mp4": "unread_pictures",
    "3.svg": "unread_pictures",
    "labels/1.png": "other_pictures",
    "a/masks/1.png": "other_pictures",
    "masks/3.png": "orphan_masks",
    "masks/2_mask.png": "orphan_masks",
    "masks/2.jpg.png": "orphan_masks",
    "masks/2.jpg": "orphan_masks",
    "masks/1.png": "orphan_masks",
    "masks/notes.txt": "orphan_masks",
    "3.jfif": "unlisted_images",
}


@pytest.mark.parametrize(("file", "kind"), SIBLINGS.items(), ids=list(SIBLINGS))
def test_a_file_that_nothing_reads_is_named(root: Path, file: str, kind: str):
    (root / file).parent.mkdir(exist_ok=True)
    (root / file).touch()
    result = found(root)
    assert list(result) == [kind]
    (example,) = result[kind]
    assert example.startswith(file)


def test_a_chosen_tags_file_leaves_others_unread_on_purpose(root: Path):
    (root / "old.csv").write_text("image,tags\n2.jpg,dog\n")
    assert found(root) == {"unread_annotations": ["old.csv"]}
    assert found(root, tags_file="old.csv")["other_files"] == ["tags.csv"]
    (root / "dataset.yaml").write_text("tags: tags.csv")
    assert found(root) == {"other_files": ["old.csv"]}


def test_files_that_the_command_reads_are_known(root: Path, monkeypatch: pytest.MonkeyPatch):
    (root / "mine.yaml").write_text("classes: [cat, dog]")
    assert found(root) == {"unread_annotations": ["mine.yaml"]}
    assert found(root, known=[root / "mine.yaml"]) == {}
    monkeypatch.chdir(root.parent)
    assert found(Path("root"), known=[root / "mine.yaml"]) == {}


def test_what_commands_of_ours_write_is_known(root: Path):
    write_json(root / "tags.csv.json", {"kind": "tags by CLIP"})
    write_json(root / "out" / "run.json", {"kind": "labelling"})
    write_image(root / "out" / "overlays" / "1.png")
    assert found(root) == {}
    dataset = open_dataset("folder", root)
    assert dataset.understood(None, None)[-1] == "left out: outputs of weclip: 1 (out)"


def test_masks_elsewhere_and_by_links(root: Path, tmp_path: Path):
    (root / "masks").rename(tmp_path / "drawn")
    (root / "dataset.yaml").write_text(f"masks: '{tmp_path / 'drawn'}'")
    assert found(root) == {}
    write_mask(tmp_path / "drawn" / "1.png")
    assert found(root) == {"orphan_masks": [str(tmp_path / "drawn" / "1.png")]}
    (root / "masks").symlink_to(tmp_path / "drawn")
    assert found(root) == {"orphan_masks": [str(tmp_path / "drawn" / "1.png")]}


def test_images_in_a_folder_apart(root: Path, tmp_path: Path):
    described = tmp_path / "described"
    described.mkdir()
    (described / "dataset.yaml").write_text(f"images: '{root}'\ntags: '{root}/tags.csv'")
    assert found(described) == {}
    (root / "3.svg").touch()
    (described / "extra.zip").touch()
    assert list(found(described)) == ["other_files", "unread_pictures"]


def test_voc_and_coco(voc_root: Path, coco_root: Path, pets: ClassList, voc_classes: ClassList):
    assert found(voc_root, voc_classes, "voc") == {}
    assert found(coco_root, pets, "coco") == {}
    write_image(voc_root / "JPEGImages" / "outside_of_lists.jpg")
    (voc_root / "Annotations" / "other.xml").touch()
    assert found(voc_root, voc_classes, "voc") == {}
    (voc_root / "JPEGImages" / "d.heic").touch()
    (voc_root / "tags.csv").touch()
    write_mask(voc_root / "SegmentationClass" / "a_mask.png")
    result = found(voc_root, voc_classes, "voc")
    assert {kind: len(names) for kind, names in result.items()} == {
        "orphan_masks": 1,
        "unread_annotations": 1,
        "unread_pictures": 1,
    }
    write_mask(coco_root / "SegmentationClass" / "val" / "000000000009.png")
    assert list(found(coco_root, pets, "coco")) == ["orphan_masks"]
