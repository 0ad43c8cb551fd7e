"""What exports share: images beside labels, and names that a format cannot hold."""

import errno
from pathlib import Path

import pytest
from tests.exports import decoders
from tests.exports.decoders import NAMES

from weclip.exports.cvat import require_cvat_names
from weclip.exports.formats import EXPORTS
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


@pytest.mark.parametrize("name", ["#1", " a", "a ", "a\n", "b\nc", "\ta"])
def test_image_names_that_the_list_of_cvat_cannot_hold(name):
    with pytest.raises(InputError, match=r"--export cvat: the image .* rename it") as caught:
        require_cvat_names(["dog"], ["a", name])
    assert repr(name) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a:b", "#dog", "a\nb"])
def test_class_names_that_the_label_map_of_cvat_cannot_hold(name):
    with pytest.raises(InputError, match=r"--export cvat: the class .* rename it") as caught:
        require_cvat_names(["dog", name], ["a"])
    assert repr(name) in str(caught.value)


def test_other_names_are_fine():
    require_cvat_names(["a b", "c#", "vélo"], ["a:b", "x/#1", "b#", "dog b", "Zoë 犬.v2"])
