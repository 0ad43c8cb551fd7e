"""Names as people and systems write them: accents in two forms, spaces, signs, any case."""

import json
import unicodedata
from pathlib import Path

import pytest
from tests.data.builders import write_image, write_instances, write_mask
from tests.data.reading import reader

from weclip.data.classes import ClassList
from weclip.data.images.listing import Listings
from weclip.inference.image_files import collect_images
from weclip.system.errors import InputError

coco, folder, voc = reader("coco"), reader("folder"), reader("voc")
NFC = unicodedata.normalize("NFC", "Zürich/é 1")
NFD = unicodedata.normalize("NFD", NFC)
FORMS = [(NFC, NFD), (NFD, NFC), (NFC, NFC), (NFD, NFD)]


def write_tags(root: Path, *names: str) -> None:
    (root / "tags.csv").write_text("\n".join(["image,tags", *(f'"{n}",dog' for n in names)]))


@pytest.mark.parametrize(("written", "listed"), FORMS)
@pytest.mark.parametrize("suffix", [".jpg", ""])
def test_a_folder(tmp_path: Path, pets: ClassList, written: str, listed: str, suffix: str):
    assert NFC != NFD
    image = write_image(tmp_path / f"{written}.jpg")
    mask = write_mask(tmp_path / "masks" / f"{listed}.png")
    write_tags(tmp_path, f"{listed}{suffix}")
    (sample,) = folder.read_split(tmp_path, pets, "train")
    assert sample.path == image
    assert folder.unlisted_images(tmp_path, pets) == []
    (masked,) = folder.read_masked_split(tmp_path, pets, "train")
    assert masked.path.read_bytes() == image.read_bytes()
    assert masked.mask.read_bytes() == mask.read_bytes()


def test_exactly_equal_names_come_first(tmp_path: Path, pets: ClassList):
    for name in (NFC, NFD):
        write_image(tmp_path / f"{name}.jpg")
    if len(list(tmp_path.iterdir())) == 1:
        pytest.skip("this disk does not tell the two forms apart")
    write_tags(tmp_path, f"{NFD}.jpg", f"{NFC}.jpg")
    found = folder.read_split(tmp_path, pets, "train")
    assert [sample.path for sample in found] == [tmp_path / f"{n}.jpg" for n in (NFD, NFC)]


def test_two_files_for_a_third_form_are_none(tmp_path: Path):
    """Three ways to write a letter with two marks; none of the two files is the one meant."""
    forms = ["\u1ec7", "\u1eb9\u0302", "e\u0323\u0302"]  # composed, half composed, apart
    for name in forms[:2]:
        (tmp_path / name).touch()
    if len(list(tmp_path.iterdir())) == 1:
        pytest.skip("this disk does not tell the forms apart")
    listings = Listings(tmp_path)
    meant = listings.find(Path(forms[2]))
    assert str(meant) == forms[2]
    assert not listings.exists(meant)


def test_a_missing_image_is_missing(tmp_path: Path, pets: ClassList):
    write_image(tmp_path / f"{NFD}.jpg")
    write_tags(tmp_path, f"{NFC}2.jpg")
    with pytest.raises(InputError, match=r"1 of 1 images of tags.csv missing"):
        folder.read_split(tmp_path, pets, "train")


def test_class_folders(tmp_path: Path):
    classes = ClassList(("épée",), ("épée",), ("sky",))
    image = write_image(tmp_path / unicodedata.normalize("NFD", "épée") / "1.jpg")
    (sample,) = folder.read_split(tmp_path, classes, "train")
    assert (sample.path, sample.tags) == (image, (0,))


@pytest.mark.parametrize(("written", "listed"), FORMS)
def test_voc(tmp_path: Path, pets: ClassList, written: str, listed: str):
    written, listed = written.split("/")[1], listed.split("/")[1]
    write_image(tmp_path / "JPEGImages" / f"{written}.jpg")
    write_mask(tmp_path / "SegmentationClass" / f"{listed}.png")
    lists = tmp_path / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text(f"{listed}\n")
    write_tags(tmp_path, f"{written}.jpg")
    (sample,) = voc.read_masked_split(tmp_path, pets, "train", "tags.csv")
    assert sample.tags == (pets.names.index("dog"),)
    assert sample.path.is_file()
    assert sample.mask.is_file()


def test_coco(tmp_path: Path, pets: ClassList):
    path = write_instances(tmp_path / "annotations" / "instances_val2014.json")
    document = json.loads(path.read_text())
    document["images"][0]["file_name"] = "é.jpg"
    path.write_text(json.dumps(document))
    images = tmp_path / "JPEGImages" / "val"
    write_image(images / unicodedata.normalize("NFD", "é.jpg"))
    write_image(images / "COCO_val2014_000000000003.jpg")
    assert len(coco.read_split(tmp_path, pets, "val")) == 2


def test_one_folder_cannot_hold_both_forms_where_names_are_keys(tmp_path: Path, pets: ClassList):
    names = [unicodedata.normalize(form, "é.jpg") for form in ("NFC", "NFD")]
    images = [write_image(tmp_path / "dog" / name) for name in names]
    if len(set(images[0].parent.iterdir())) == 1:
        pytest.skip("this disk does not tell the two forms apart")
    with pytest.raises(InputError, match="have the same name; keep one of them"):
        folder.read_split(tmp_path, pets, "train")


SIGNS = ["a b", "a#b", "50%", "%41", "a;b", "a&b=c", "[x]", "日本", "a'b", "-a"]


@pytest.mark.parametrize("suffix", [".JPG", ".Jpeg", ".TIFF", ".WebP", ".gif", ".BMP", ".PNG"])
@pytest.mark.parametrize("name", SIGNS)
def test_signs_and_suffixes_of_any_case(tmp_path: Path, pets: ClassList, name: str, suffix: str):
    path = write_image(tmp_path / f"{name}{suffix}")
    write_tags(tmp_path, path.name)
    (sample,) = folder.read_split(tmp_path, pets, "train")
    assert (sample.path, sample.name) == (path, name)
    assert folder.unlisted_images(tmp_path, pets) == []
    write_tags(tmp_path, name)
    assert folder.read_split(tmp_path, pets, "train") == [sample]
    assert collect_images([path]).files == [(path, Path(f"{name}.png"))]
    assert collect_images([tmp_path]).files == [(path, Path(f"{name}.png"))]
