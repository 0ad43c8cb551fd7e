import shutil
from pathlib import Path

import pytest
from tests.data.builders import write_image, write_mask
from tests.data.reading import reader

from weclip.data.classes import ClassList
from weclip.system.errors import InputError

read_split, read_masked_split = reader("voc").read_split, reader("voc").read_masked_split


def test_split_in_list_order(voc_root: Path, voc_classes: ClassList) -> None:
    samples = read_split(voc_root, voc_classes, "train_aug")
    assert [(s.name, s.tags) for s in samples] == [("c", (14,)), ("a", (7, 11))]
    assert samples[0].path == voc_root / "JPEGImages" / "c.jpg"


@pytest.mark.parametrize("inside", ["VOCdevkit/VOC2012", "VOC2012"])
def test_root_may_be_a_parent(
    voc_root: Path, tmp_path: Path, voc_classes: ClassList, inside: str
) -> None:
    shutil.copytree(voc_root, tmp_path / "data" / inside)
    assert len(read_split(tmp_path / "data", voc_classes, "train_aug")) == 2


def test_tags_file_in_place_of_annotations(voc_root: Path, voc_classes: ClassList) -> None:
    (voc_root / "tags.csv").write_text("image,tags\na,cat;dog\nb.jpg,\nJPEGImages/c.jpg,person\n")
    from_xml = read_split(voc_root, voc_classes, "train_aug")
    shutil.rmtree(voc_root / "Annotations")
    assert read_split(voc_root, voc_classes, "train_aug", "tags.csv") == from_xml
    assert read_split(voc_root, voc_classes, "train_aug", voc_root / "tags.csv") == from_xml
    assert read_masked_split(voc_root, voc_classes, "val", "tags.csv")[0].tags == ()


def test_masks(voc_root: Path, voc_classes: ClassList) -> None:
    samples = read_masked_split(voc_root, voc_classes, "train_aug")
    assert [(s.name, s.tags) for s in samples] == [("c", (14,)), ("a", (7, 11))]
    assert samples[0].mask == voc_root / "SegmentationClass" / "c.png"


def test_augmented_masks_are_for_train_aug_only(voc_root: Path, voc_classes: ClassList) -> None:
    shutil.copytree(voc_root / "SegmentationClass", voc_root / "SegmentationClassAug")
    aug = read_masked_split(voc_root, voc_classes, "train_aug")
    val = read_masked_split(voc_root, voc_classes, "val")
    assert aug[0].mask.parent.name == "SegmentationClassAug"
    assert val[0].mask.parent.name == "SegmentationClass"


def test_evaluation_needs_no_tags(voc_root: Path, voc_classes: ClassList) -> None:
    (voc_root / "Annotations" / "a.xml").unlink()
    assert [s.tags for s in read_masked_split(voc_root, voc_classes, "train_aug")] == [(14,), None]
    shutil.rmtree(voc_root / "Annotations")
    assert read_masked_split(voc_root, voc_classes, "val")[0].tags is None


def test_missing_parts(voc_root: Path, voc_classes: ClassList) -> None:
    with pytest.raises(InputError, match=r"nowhere: data root not found"):
        read_split("nowhere", voc_classes, "val")
    with pytest.raises(InputError, match=r"no VOC data set here: expected .*ImageSets/Segment"):
        read_split(voc_root / "JPEGImages", voc_classes, "val")
    with pytest.raises(InputError, match=r"no split 'test'; available: train_aug, val"):
        read_split(voc_root, voc_classes, "test")
    with pytest.raises(InputError, match=r"tags file 'tags.csv' not found, neither as given nor"):
        read_split(voc_root, voc_classes, "val", "tags.csv")
    (voc_root / "SegmentationClass" / "b.png").unlink()
    with pytest.raises(InputError, match=r"SegmentationClass: 1 of 1 masks missing, .* 'b'"):
        read_masked_split(voc_root, voc_classes, "val")
    shutil.rmtree(voc_root / "SegmentationClass")
    with pytest.raises(InputError, match=r"SegmentationClass: mask folder not found"):
        read_masked_split(voc_root, voc_classes, "val")
    (voc_root / "Annotations" / "a.xml").unlink()
    with pytest.raises(InputError, match=r"Annotations: 1 of 2 annotations missing, .* 'a'"):
        read_split(voc_root, voc_classes, "train_aug")
    shutil.rmtree(voc_root / "Annotations")
    with pytest.raises(InputError, match=r"Annotations: annotation folder not found"):
        read_split(voc_root, voc_classes, "train_aug")
    (voc_root / "JPEGImages" / "a.jpg").unlink()
    with pytest.raises(InputError, match=r"JPEGImages: 1 of 2 images of train_aug.txt missing"):
        read_split(voc_root, voc_classes, "train_aug")


def test_missing_row_in_tags_file(voc_root: Path, voc_classes: ClassList) -> None:
    (voc_root / "tags.csv").write_text("image,tags\na,cat\n")
    with pytest.raises(InputError, match=r"tags.csv: 1 of 2 images of split 'train_aug' missing"):
        read_split(voc_root, voc_classes, "train_aug", "tags.csv")


def test_bad_lists(voc_root: Path, voc_classes: ClassList) -> None:
    path = voc_root / "ImageSets" / "Segmentation" / "val.txt"
    path.write_text("b\nb\n")
    with pytest.raises(InputError, match=r"val.txt, line 2: 'b' is already on line 1"):
        read_split(voc_root, voc_classes, "val")
    path.write_text("\n")
    with pytest.raises(InputError, match=r"val.txt: the split list is empty"):
        read_split(voc_root, voc_classes, "val")


def test_two_images_of_one_name(voc_root: Path, voc_classes: ClassList) -> None:
    write_image(voc_root / "JPEGImages" / "b.png")
    with pytest.raises(InputError, match=r"'b.jpg' and 'b.png' have the same name"):
        read_split(voc_root, voc_classes, "val")


def test_other_files_do_not_disturb(voc_root: Path, voc_classes: ClassList) -> None:
    (voc_root / "JPEGImages" / "b.txt").write_text("")
    (voc_root / "JPEGImages" / "._b.jpg").write_text("")
    write_mask(voc_root / "SegmentationClass" / "unused.png")
    assert read_masked_split(voc_root, voc_classes, "val")[0].path.name == "b.jpg"


def test_list_of_another_encoding_is_named(voc_root, voc_classes):
    path = voc_root / "ImageSets" / "Segmentation" / "train.txt"
    path.write_bytes("caf\xe9\n".encode("latin-1"))
    with pytest.raises(
        InputError, match=r"train\.txt: split list cannot be read; save it as UTF-8"
    ):
        read_split(voc_root, voc_classes, "train")
