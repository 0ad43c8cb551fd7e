"""What exports share: images beside labels, and names that a format cannot hold."""

import errno
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import yaml
from PIL import Image
from tests.exports import decoders
from tests.exports.decoders import NAMES

from weclip.data.classes import parse_classes
from weclip.data.masks.mask_files import save_mask
from weclip.exports.formats import EXPORTS
from weclip.exports.names import require_names
from weclip.system.errors import InputError


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP])
@pytest.mark.parametrize(
    ("tool", "images"), [("yolo", "images"), ("fiftyone", "data"), ("huggingface", "images")]
)
def test_images_are_copied_where_no_hard_link_can_be(tmp_path, monkeypatch, tool, images, number):
    def refuse(self, target):
        raise OSError(number, "no link", str(self))

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    labelled, _ = decoders.write_output(tmp_path)
    EXPORTS[tool](labelled)
    for name in NAMES:
        photo, copy = (tmp_path / f / f"{name}.png" for f in ("photos", f"out/{tool}/{images}"))
        assert not copy.samefile(photo)
        assert copy.read_bytes() == photo.read_bytes()
    assert not list(labelled.out.rglob("*.tmp"))


def test_an_image_that_is_a_link_is_linked_as_what_it_names(tmp_path):
    labelled, _ = decoders.write_output(tmp_path)
    photo = tmp_path / "photos" / "a.png"
    store = photo.rename(tmp_path / "store.png")
    photo.symlink_to(store)
    copy = EXPORTS["yolo"](labelled) / "images" / "a.png"
    assert copy.samefile(store)
    assert not copy.is_symlink()


@pytest.mark.parametrize("tool", EXPORTS)
def test_an_export_that_breaks_off_leaves_the_earlier_one(tmp_path, tool):
    """The last mask is damaged, so that all others are written before."""
    if tool == "coco":
        pytest.importorskip("pycocotools", reason="needs the extra 'prepare'")
    labelled, _ = decoders.write_output(tmp_path)

    def content():
        return {p: p.read_bytes() for p in labelled.out.rglob("*") if p.is_file()}

    EXPORTS[tool](labelled)
    mask = labelled.out / "masks" / f"{NAMES[-1]}.png"
    mask.write_bytes(b"no mask")
    before = content()
    with pytest.raises(InputError, match=r"labels/c\.png"):
        EXPORTS[tool](labelled)
    assert content() == before


@pytest.mark.parametrize("name", ["#1", " a", "a ", "a\n", "b\nc", "\ta", "a\x1b[1mb", "a\x85"])
def test_image_names_that_the_list_of_cvat_cannot_hold(name):
    with pytest.raises(InputError, match=r"--export cvat: the image .* rename it") as caught:
        require_names(["coco", "cvat"], ["dog"], ["a", name])
    assert repr(name) in str(caught.value)
    assert "\n" not in str(caught.value)
    require_names([export for export in EXPORTS if export != "cvat"], ["dog"], [name])


@pytest.mark.parametrize("name", ["a:b", "#dog", "a\nb", "a\x07", "\ufffe", "\x9f", "\udc80"])
def test_class_names_that_the_label_map_of_cvat_cannot_hold(name):
    with pytest.raises(InputError, match=r"--export cvat: the class .* rename it") as caught:
        require_names(["cvat"], ["dog", name], ["a"])
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize("code", [*range(32), *range(127, 160), 0xD800, 0xFFFE, 0xFFFF])
def test_class_names_that_label_studio_s_xml_cannot_hold(code):
    with pytest.raises(InputError, match=r"--export label-studio: the class .* XML cannot hold"):
        require_names(["label-studio"], [f"a{chr(code)}b"], ["a"])


def test_other_names_are_fine():
    names = ["a b", "c#", "vélo", "<&'\">", "犬", "\U0001f436", "\xa0"]
    require_names(EXPORTS, names, ["a:b", "x/#1", "b#", "dog b", "Zoë 犬.v2"])


def test_the_interface_of_label_studio_is_xml_whatever_the_names(tmp_path):
    names = ["a b", "<&'\">", "犬", "\U0001f436", "a:b", "]]>"]
    labelled, _ = decoders.write_output(tmp_path)
    labelled = replace(labelled, classes=parse_classes({"classes": names}, "test"), images=())
    path = EXPORTS["label-studio"](labelled) / "labels.xml"
    labels = ElementTree.parse(path).getroot().findall("BrushLabels/Label")
    assert [label.get("value") for label in labels] == [*names, "unsure"]


def card(folder: Path) -> dict:
    return yaml.safe_load((folder / "README.md").read_text().split("---")[1])["configs"][0]


def test_exports_for_hugging_face_are_told_apart(tmp_path):
    """`datasets` caches by the names of folder and configuration alone."""
    first, _ = decoders.write_output(tmp_path / "a")
    named = card(EXPORTS["huggingface"](first))
    assert named["config_name"].startswith("weclip-")
    assert named["data_files"][0]["split"] == "train"
    assert card(EXPORTS["huggingface"](first)) == named
    other, masks = decoders.write_output(tmp_path / "b")
    assert card(EXPORTS["huggingface"](other)) == named  # the same content
    found = {named["config_name"]}
    mask = np.where(masks["a"] == 1, 2, masks["a"])
    save_mask(mask, first.out / "masks" / "a.png", first.classes.palette)
    found.add(card(EXPORTS["huggingface"](first))["config_name"])
    Image.new("RGB", masks["a"].shape[::-1], "red").save(tmp_path / "a" / "photos" / "a.png")
    found.add(card(EXPORTS["huggingface"](first))["config_name"])
    renamed = replace(first, classes=parse_classes({"classes": ["cat", "b", "c"]}, "test"))
    found.add(card(EXPORTS["huggingface"](renamed))["config_name"])
    surer = replace(first, images=[replace(image, confidence=1.0) for image in first.images])
    found.add(card(EXPORTS["huggingface"](surer))["config_name"])
    assert len(found) == 5
