"""Masks of colours, and maps of ids and colours."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from weclip.data.batch import MaskedImage, MaskLabels
from weclip.data.classes import ClassList, load_classes
from weclip.data.dataset import open_dataset
from weclip.data.images.full_images import full_images
from weclip.data.masks.mask_files import read_mask, save_mask
from weclip.data.masks.mask_labels import mask_labels, parse_mask_labels
from weclip.system.errors import InputError

PINK, GREY = (255, 0, 200), (90, 90, 90)


@pytest.fixture
def classes() -> ClassList:
    """Cat is pink; dog and traffic light have the PASCAL colours of 2 and 3."""
    return ClassList(
        ("cat", "dog", "traffic light"),
        (("cat",), ("dog",), ("light",)),
        ("grass",),
        (PINK, (0, 128, 0), (128, 128, 0)),
    )


def write_colours(path: Path, *colours: tuple[int, ...], mode: str = "RGB") -> Path:
    """A PNG of one row, one pixel a colour."""
    image = Image.new(mode, (len(colours), 1))
    for x, colour in enumerate(colours):
        image.putpixel((x, 0), colour)
    image.save(path)
    return path


KNOWN = ((0, 0, 0), PINK, (0, 128, 0), (128, 128, 0), (224, 224, 192))


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_class_colours_black_and_void(tmp_path: Path, classes: ClassList, mode: str) -> None:
    alpha = (255,) * (mode == "RGBA")
    path = write_colours(tmp_path / "m.png", *(colour + alpha for colour in KNOWN), mode=mode)
    mask = read_mask(path, labels=mask_labels(classes), num_classes=4)
    assert mask.dtype == np.uint8
    assert mask.tolist() == [[0, 1, 2, 3, 255]]


@pytest.mark.parametrize("name", ["voc", "coco", "demo"])
def test_the_colours_of_a_prediction_are_read_back(tmp_path: Path, name: str) -> None:
    classes = load_classes(name)
    ids = [*range(classes.num_classes), 255]
    mask = np.random.default_rng(0).choice(ids, (50, 70)).astype(np.uint8)
    mask[:20, :30] = 7
    save_mask(mask, tmp_path / "ids.png", classes.palette)
    with Image.open(tmp_path / "ids.png") as image:
        image.convert("RGB").save(tmp_path / "colours.png")
    labels = mask_labels(classes)
    for file in ("ids.png", "colours.png"):
        read = read_mask(tmp_path / file, labels=labels, num_classes=classes.num_classes)
        np.testing.assert_array_equal(read, mask)


def test_an_unknown_colour_is_named_with_its_share(tmp_path: Path, classes: ClassList) -> None:
    colours = [GREY] * 3 + [PINK] * 4 + [(1, 2, 3)] + [GREY] * 2
    path = write_colours(tmp_path / "m.png", *colours)
    with pytest.raises(InputError) as error:
        read_mask(path, labels=mask_labels(classes))
    assert str(error.value) == (
        f"{path}: mask has the unknown colour #5A5A5A, [90, 90, 90], on 50 % of its pixels and 1 "
        "more unknown colours; make it the 'colour' of a class in the class list, or for "
        "masks of the data set say in mask_labels what it stands for"
    )


def test_transparent_pixels_are_refused(tmp_path: Path, classes: ClassList) -> None:
    colours = [(*PINK, 255)] * 3 + [(*PINK, 254)]
    path = write_colours(tmp_path / "m.png", *colours, mode="RGBA")
    with pytest.raises(InputError, match=r"m.png: mask is transparent on 25 % of its pixels; save"):
        read_mask(path, labels=mask_labels(classes))


def test_without_a_class_list_only_black_and_void_are_known(tmp_path: Path) -> None:
    path = write_colours(tmp_path / "m.png", (0, 0, 0), (224, 224, 192))
    assert read_mask(path).tolist() == [[0, 255]]
    with pytest.raises(InputError, match="unknown colour #800000"):
        read_mask(write_colours(path, (128, 0, 0)))


def test_ids_are_merged_and_ignored(tmp_path: Path, classes: ClassList) -> None:
    map_ = {1: "dog", 90: "traffic light", 91: "ignore", 3: "background"}
    labels = parse_mask_labels(map_, classes, "dataset.yaml")
    path = tmp_path / "m.png"
    save_mask(np.array([[0, 1, 2, 3, 90, 91, 255]], np.uint8), path)
    assert read_mask(path, labels=labels, num_classes=4).tolist() == [[0, 2, 2, 0, 3, 255, 255]]
    with pytest.raises(InputError, match=r"mask has class ids \[90, 91\]; allowed are 0 to 3"):
        read_mask(path, labels=mask_labels(classes), num_classes=4)
    save_mask(np.array([[92]], np.uint8), path)
    with pytest.raises(InputError, match=r"mask has class ids \[92\]"):
        read_mask(path, labels=labels, num_classes=4)


def test_colours_are_merged_and_ignored(tmp_path: Path, classes: ClassList) -> None:
    map_ = {"#5a5a5a": "cat", "#FF00C8": "dog", "#000000": "ignore"}  # the second is the cat's own
    labels = parse_mask_labels(map_, classes, "dataset.yaml")
    path = write_colours(tmp_path / "m.png", GREY, *KNOWN)
    assert read_mask(path, labels=labels).tolist() == [[1, 255, 2, 2, 3, 255]]


@pytest.mark.parametrize("more", [{}, {7: "ignore"}])
def test_a_map_of_colours_alone_reads_palettes_by_colour(tmp_path, classes, more) -> None:
    labels = parse_mask_labels({"#5a5a5a": "cat"} | more, classes, "dataset.yaml")
    image = Image.fromarray(np.array([[0, 1, 2, 3]], np.uint8))
    image.putpalette([*GREY, *PINK, 0, 128, 0, 224, 224, 192])
    image.save(tmp_path / "m.png")
    expected = [0, 1, 2, 3] if more else [1, 1, 2, 255]
    assert read_mask(tmp_path / "m.png", labels=labels).tolist() == [expected]
    Image.fromarray(np.array([[0, 3]], np.uint8)).save(tmp_path / "grey.png")
    assert read_mask(tmp_path / "grey.png", labels=labels).tolist() == [[0, 3]]


def test_a_class_named_ignore_is_a_class() -> None:
    classes = ClassList(("cat", "ignore"), (("cat",), ("mess",)), ("grass",))
    assert parse_mask_labels({9: "ignore"}, classes, "x").ids == ((9, 2),)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (None, "dataset.yaml: expected ids or colours with what they stand for"),
        ({}, "dataset.yaml: expected ids or colours"),
        (["cat"], "dataset.yaml: expected ids or colours"),
        ({256: "cat"}, "dataset.yaml: 256 is neither an id 0 to 255 nor a colour; write"),
        ({-1: "cat"}, "-1 is neither an id"),
        ({True: "cat"}, "true is neither an id"),
        ({"1": "cat"}, "'1' is neither an id"),
        ({"#12345": "cat"}, "'#12345' is neither an id 0 to 255 nor a colour"),
        ({"#aaaaaa": "cat", "#AAAAAA": "dog"}, "colour #AAAAAA appears twice"),
        ({1: "dgo"}, "dataset.yaml: 1: unknown class 'dgo'; did you mean 'dog'?"),
        ({1: "xyz"}, "unknown class 'xyz'; give a class name, 'background' or 'ignore'"),
        ({1: 2}, "unknown class 2; give a class name"),
        ({1: None}, "unknown class null; give a class name"),
        ({1: ["cat"]}, r"unknown class \['cat'\]; give a class name"),
    ],
)
def test_malformed_maps(classes: ClassList, document: object, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        parse_mask_labels(document, classes, "dataset.yaml")
    assert str(error.value).startswith("dataset.yaml: ")
    assert "\n" not in str(error.value)


def test_every_layout_reads_masks_of_the_class_colours(
    folder_root: Path, voc_root: Path, coco_root: Path, voc_classes: ClassList, classes: ClassList
) -> None:
    cases = [
        (folder_root / "masks" / "3.png", "folder", folder_root, classes),
        (voc_root / "SegmentationClass" / "b.png", "voc", voc_root, voc_classes),
        (coco_root / "SegmentationClass" / "val" / "000000000001.png", "coco", coco_root, classes),
    ]
    for mask, layout, root, known in cases:
        samples = open_dataset(layout, root, classes=known).read_masked_split("val")
        assert all(sample.labels == mask_labels(known) for sample in samples)
        (sample,) = [each for each in samples if each.mask == mask]
        with Image.open(sample.path) as image:
            Image.new("RGB", image.size, known.colours[1]).save(mask)
        (item,) = full_images([sample], num_classes=known.num_classes)
        assert (item.mask == 2).all()


@pytest.mark.parametrize("workers", [0, 1])
def test_a_map_reaches_the_workers(tmp_path: Path, workers: int) -> None:
    Image.new("RGB", (4, 3)).save(tmp_path / "i.png")
    save_mask(np.full((3, 4), 40, np.uint8), tmp_path / "m.png")
    labels = MaskLabels(ids=((40, 1),))
    sample = MaskedImage("i", tmp_path / "i.png", tmp_path / "m.png", None, labels)
    (item,) = full_images([sample], num_classes=2, workers=workers)
    assert (item.mask == 1).all()
