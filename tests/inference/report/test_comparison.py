import numpy as np
import pytest

from weclip.data.bands import bands
from weclip.data.masks.colours import VOC_COLOURS
from weclip.inference.report.comparison import (
    NONE_RIGHT,
    SOME_RIGHT,
    Comparison,
    difference_picture,
    hardest,
    method_colour,
    most_different,
)

TRUTH = np.array([[0, 0, 1, 1, 2, 255]], np.uint8)
A = np.array([[0, 1, 1, 0, 255, 0]], np.uint8)  # right on 0, 2
B = np.array([[0, 0, 1, 2, 1, 1]], np.uint8)  # right on 0, 1, 2
C = np.array([[0, 0, 0, 2, 2, 2]], np.uint8)  # right on 0, 1, 4


def test_pairs_by_hand():
    comparison = Comparison(["a", "b", "c"])
    comparison.add([A, B, C], TRUTH)
    comparison.add([TRUTH] * 3, TRUTH)  # 5 more pixels on which all are right
    ab, ac, bc = comparison.gather().pairs()
    assert ab == {
        "first": "a",
        "second": "b",
        "differ": pytest.approx(3 / 10),  # 1, 3, 4
        "first_right": 0,
        "second_right": pytest.approx(1 / 3),
        "both_wrong": pytest.approx(2 / 3),
    }
    assert ac["differ"] == pytest.approx(4 / 10)  # 1, 2, 3, 4
    assert (ac["first_right"], ac["second_right"], ac["both_wrong"]) == (1 / 4, 2 / 4, 1 / 4)
    assert (bc["first"], bc["second"], bc["differ"]) == ("b", "c", pytest.approx(2 / 10))  # 2, 4
    assert (bc["first_right"], bc["second_right"], bc["both_wrong"]) == (1 / 2, 1 / 2, 0)


def test_equal_masks_do_not_differ_and_one_has_no_pairs():
    comparison = Comparison(["a", "b"])
    comparison.add([A, A], TRUTH)
    (pair,) = comparison.pairs()
    assert (pair["differ"], pair["first_right"], pair["both_wrong"]) == (0, None, None)
    alone = Comparison(["a"])
    alone.add([A], TRUTH)
    assert alone.pairs() == []


def test_large_images_are_compared_in_bands():
    """A few bands of rows, each of them the rows of by hand, which are right elsewhere."""
    tall = 400_000  # of 6 pixels
    maps = [np.repeat(ids, tall, axis=0) for ids in (A, B, C, TRUTH)]
    assert len(list(bands(maps[0].shape))) > 2
    image = np.random.default_rng(0).integers(0, 256, (1, 6, 3), dtype=np.uint8)
    few = difference_picture(image, [A, B, C], TRUTH)
    many = difference_picture(np.repeat(image, tall, axis=0), maps[:3], maps[3])
    assert np.array_equal(np.asarray(many), np.repeat(np.asarray(few), tall, axis=0))
    one, all_rows = Comparison(["a", "b", "c"]), Comparison(["a", "b", "c"])
    one.add([A, B, C], TRUTH)
    all_rows.add(maps[:3], maps[3])
    assert all_rows.counted == tall * one.counted
    assert np.array_equal(all_rows.differ, tall * one.differ)
    assert np.array_equal(all_rows.only_right, tall * one.only_right)


def test_scenes_that_differ_most_and_that_are_hardest():
    a = {"same": 0.5, "far": 0.9, "near": 0.6, "bad": 0.1}
    b = {"same": 0.5, "far": 0.2, "near": 0.5, "bad": 0.2}
    assert most_different([a, b], 9) == ["far", "bad", "near"]
    assert most_different([a, b], 1) == ["far"]
    assert hardest([a, b]) == ["bad", "same", "near", "far"]


def test_difference_picture_by_hand():
    image = np.zeros((1, 6, 3), np.uint8)
    image[0, 5] = 255
    picture = np.asarray(difference_picture(image, [A, B, C], TRUTH))[0].tolist()
    pale = [165] * 3
    several = list(SOME_RIGHT)
    only_c = list(method_colour(2))
    assert picture == [pale, several, several, list(NONE_RIGHT), only_c, [255] * 3]
    two = np.asarray(difference_picture(image, [A, B], TRUTH))[0].tolist()
    only_b = list(method_colour(1))
    assert two == [pale, only_b, pale, list(NONE_RIGHT), list(NONE_RIGHT), [255] * 3]
    one = np.asarray(difference_picture(image, [B], TRUTH))[0].tolist()
    assert one == [pale, pale, pale, list(NONE_RIGHT), list(NONE_RIGHT), [255] * 3]


def test_every_method_has_a_colour_of_its_own():
    colours = [method_colour(index) for index in range(40)]
    assert len({*colours, NONE_RIGHT, SOME_RIGHT}) == 42
    assert colours[10] == tuple(VOC_COLOURS[10].tolist())
