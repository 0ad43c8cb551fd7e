from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from weclip.data.masks.colours import VOC_COLOURS, voc_palette
from weclip.data.masks.mask_files import read_mask, read_note, save_mask
from weclip.system.errors import InputError


def test_palette_facts() -> None:
    colours = np.array(voc_palette()).reshape(256, 3)
    assert len(np.unique(colours, axis=0)) == 256
    known = {0: (0, 0, 0), 1: (128, 0, 0), 8: (64, 0, 0), 15: (192, 128, 128), 20: (0, 64, 128)}
    assert {i: tuple(colours[i].tolist()) for i in known} == known
    assert tuple(colours[255]) == (224, 224, 192)  # the cream border of VOC masks


def test_round_trip(tmp_path: Path) -> None:
    mask = np.random.default_rng(0).integers(0, 256, (7, 9), dtype=np.uint8)
    path = tmp_path / "sub" / "m.png"
    save_mask(mask, path)
    np.testing.assert_array_equal(read_mask(path), mask)
    with Image.open(path) as image:
        assert image.mode == "P"
        colours = np.array(voc_palette()).reshape(256, 3)
        np.testing.assert_array_equal(np.array(image.convert("RGB")), colours[mask])


def test_small_palettes_keep_ids(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 1], [2, 3]], np.uint8))
    image.putpalette(voc_palette())
    image.save(tmp_path / "m.png", bits=2)
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png", num_classes=4), [[0, 1], [2, 3]])


def test_saving_replaces_whole_files_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.png"
    save_mask(np.ones((2, 2), np.uint8), path)
    save_mask(np.zeros((2, 2), np.uint8), path)
    assert read_mask(path).max() == 0

    def fail(self: Image.Image, file: Path, **_: object) -> None:
        Path(file).write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        save_mask(np.ones((2, 2), np.uint8), path)
    assert [p.name for p in tmp_path.iterdir()] == ["m.png"]
    assert read_mask(path).max() == 0


@pytest.mark.parametrize("mask", [np.zeros((2, 2)), np.zeros((2, 2, 3), np.uint8)])
def test_only_index_arrays_are_saved(tmp_path: Path, mask: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"mask must be \(H, W\) uint8"):
        save_mask(mask, tmp_path / "m.png")


def test_ids_are_checked_against_the_class_list(tmp_path: Path) -> None:
    path = tmp_path / "m.png"
    save_mask(np.array([[0, 20], [255, 3]], np.uint8), path)
    assert read_mask(path, num_classes=21).max() == 255
    with pytest.raises(InputError, match=r"m.png: mask has class ids \[20\]; allowed are 0 to 19"):
        read_mask(path, num_classes=20)


@pytest.mark.parametrize("mode", ["1", "LA", "I;16"])
def test_wrong_mode(tmp_path: Path, mode: str) -> None:
    Image.new(mode, (3, 2)).save(tmp_path / "m.png")
    with pytest.raises(InputError, match=rf"m.png: a mask must be .* this is PNG with mode {mode}"):
        read_mask(tmp_path / "m.png")


def test_saved_in_the_given_colours(tmp_path: Path) -> None:
    palette = VOC_COLOURS.copy()
    palette[1] = (1, 2, 3)
    save_mask(np.array([[0, 1, 2, 255]], np.uint8), tmp_path / "m.png", palette)
    assert read_mask(tmp_path / "m.png").tolist() == [[0, 1, 2, 255]]
    with Image.open(tmp_path / "m.png") as image:
        shown = np.array(image.convert("RGB")).tolist()
    assert shown == [[[0, 0, 0], [1, 2, 3], [0, 128, 0], [224, 224, 192]]]


def test_not_a_png(tmp_path: Path) -> None:
    Image.new("L", (3, 2)).save(tmp_path / "m.png", format="JPEG")
    with pytest.raises(InputError, match=r"m.png: a mask must be .* this is JPEG"):
        read_mask(tmp_path / "m.png")
    (tmp_path / "t.png").write_text("hello")
    with pytest.raises(InputError, match=r"t.png: mask is not a PNG file"):
        read_mask(tmp_path / "t.png")
    with pytest.raises(InputError, match=r"gone.png: mask not found"):
        read_mask(tmp_path / "gone.png")


def test_truncated(tmp_path: Path) -> None:
    path = tmp_path / "m.png"
    save_mask(np.random.default_rng(0).integers(0, 9, (64, 64), dtype=np.uint8), path)
    path.write_bytes(path.read_bytes()[:-600])
    with pytest.raises(InputError, match=r"m.png: mask is broken"):
        read_mask(path)


def test_a_note_is_kept_in_the_file(tmp_path):
    mask = np.array([[0, 3], [255, 1]], dtype=np.uint8)
    save_mask(mask, tmp_path / "a.png", note='{"name": "\\u00e9"}')
    save_mask(mask, tmp_path / "b.png")
    assert read_note(tmp_path / "a.png") == '{"name": "\\u00e9"}'
    assert np.array_equal(read_mask(tmp_path / "a.png"), mask)
    assert read_note(tmp_path / "b.png") is None


@pytest.mark.parametrize("content", [None, b"", b"no image", b"\x89PNG\r\n\x1a\n"])
def test_a_file_that_is_no_mask_has_no_note(tmp_path, content):
    path = tmp_path / "a.png"
    if content is not None:
        path.write_bytes(content)
    assert read_note(path) is None
