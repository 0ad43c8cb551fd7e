"""SBD and COCO masks, compared with masks that were worked out by hand."""

from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from scipy.io import savemat
from tests.prepare.builders import instance, rectangle, run_lengths, write_sbd

from weclip.prepare.coco import mask_of_instances
from weclip.prepare.voc import read_sbd_mask
from weclip.system.errors import InputError

IDS = {1: 1, 18: 2, 90: 3}


def picture(*rows: str) -> np.ndarray:
    """Digits are ids, a dot is 0, x is 255."""
    return np.array(
        [[{".": 0, "x": 255}.get(c, ord(c) - 48) for c in row] for row in rows], np.uint8
    )


def draw(*annotations: dict, size: tuple[int, int] = (5, 8), border: bool = False) -> list[str]:
    mask = mask_of_instances(list(annotations), size, IDS, void_border=border)
    assert mask.shape == size
    assert mask.dtype == np.uint8
    return ["".join({0: ".", 255: "x"}.get(int(i), str(i)) for i in row) for row in mask]


LARGE = instance(1, 24, [rectangle(0, 0, 4, 6)])
SMALL = instance(18, 4, [rectangle(1, 4, 3, 6)])


@pytest.mark.parametrize("order", [(LARGE, SMALL), (SMALL, LARGE)])
def test_the_smaller_area_wins(order):
    assert draw(*order) == ["111111..", "111122..", "111122..", "111111..", "........"]


def test_the_area_that_is_written_counts_not_the_pixels():
    larger = {**SMALL, "area": 25}
    assert draw(SMALL | {"area": 25}, LARGE) == draw(larger, LARGE) == [
        "111111..", "111111..", "111111..", "111111..", "........",
    ]  # fmt: skip


def test_of_equal_areas_the_earlier_wins():
    same = instance(90, 24, [rectangle(0, 3, 4, 8)])
    assert draw(LARGE, same)[0] == "11111133"
    assert draw(same, LARGE)[0] == "11133333"


def test_several_polygons_are_one_instance():
    parts = instance(90, 4, [rectangle(0, 0, 2, 2), rectangle(3, 5, 5, 8), [1, 1, 2, 2]])
    assert draw(parts) == ["33......", "33......", "........", ".....333", ".....333"]


HOLE = picture(".222...", ".2.2...", ".222...", ".......") > 0


@pytest.mark.parametrize("compressed", [False, True, "text"])
@pytest.mark.parametrize("crowd", [0, 1])
def test_run_lengths_keep_holes(compressed, crowd):
    runs = run_lengths(HOLE)
    if compressed:
        runs = coco_mask.frPyObjects(runs, *HOLE.shape)
        if compressed == "text":  # as JSON has it
            runs["counts"] = runs["counts"].decode()
    behind = instance(90, 100, [rectangle(0, 0, 3, 3)])
    drawn = draw(instance(18, 8, runs) | {"iscrowd": crowd}, behind, size=HOLE.shape)
    assert drawn == ["3222...", "3232...", "3222...", "......."]


def test_run_lengths_of_another_size_are_refused():
    with pytest.raises(ValueError, match="of an image of size"):
        draw(instance(18, 8, run_lengths(HOLE)), size=(9, 9))


def test_void_border():
    middle = instance(18, 2, [rectangle(4, 4, 5, 6)])
    assert draw(middle, size=(9, 12), border=True) == [
        "............",
        ".xxxxxxxx...",
        ".xxxxxxxx...",
        ".xxxxxxxx...",
        ".xxx22xxx...",
        ".xxxxxxxx...",
        ".xxxxxxxx...",
        ".xxxxxxxx...",
        "............",
    ]


def test_void_border_at_the_edge_and_inside_another_instance():
    corner = instance(18, 1, [rectangle(0, 0, 1, 1)])
    behind = instance(1, 40, [rectangle(0, 0, 5, 8)])
    expected = ["2xxx1111", "xxxx1111", "xxxx1111", "xxxx1111", "11111111"]
    assert draw(corner, behind, border=True) == expected
    assert draw(behind, corner, border=True) == expected


def test_sbd_mask(tmp_path):
    expected = picture("..11", ".551", "....")
    mask = read_sbd_mask(write_sbd(tmp_path / "a.mat", expected))
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, expected)


@pytest.mark.parametrize(
    "mask", [np.full((2, 2), 21, np.uint8), np.zeros((2, 2, 2), np.uint8), np.zeros((0, 2))]
)
def test_an_impossible_sbd_mask_is_named(tmp_path, mask):
    with pytest.raises(InputError, match=r"a\.mat: not a mask of SBD \(not a two-dim"):
        read_sbd_mask(write_sbd(tmp_path / "a.mat", mask))


def test_a_broken_sbd_file_is_named(tmp_path):
    path: Path = tmp_path / "a.mat"
    savemat(path, {"other": 1})
    with pytest.raises(InputError, match=r"a\.mat: not a mask of SBD"):
        read_sbd_mask(path)
    path.write_bytes(b"\0" * 200)
    with pytest.raises(InputError, match=r"a\.mat: not a mask of SBD"):
        read_sbd_mask(path)
