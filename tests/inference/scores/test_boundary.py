import tracemalloc

import numpy as np
import pytest
import torch
from tests.literal import boundary_iou as literal

from weclip.data.bands import bands
from weclip.inference.scores import boundary as room
from weclip.inference.scores.boundary import (
    boundary_counts,
    boundary_distance,
    boundary_pixels,
    scores_from_counts,
)
from weclip.inference.scores.evaluate import Tally, score_label_maps


def blobs(rng, height, width, classes, void=0.0):
    """Blocks of classes with a few loose pixels, so that there are contours of every kind."""
    blocks = rng.integers(0, classes, (-(-height // 7), -(-width // 7)))
    ids = np.kron(blocks, np.ones((7, 7), int))[:height, :width].astype(np.uint8)
    loose = rng.random(ids.shape) < 0.02
    ids[loose] = rng.integers(0, classes, loose.sum())
    ids[rng.random(ids.shape) < void] = 255
    return ids


@pytest.mark.parametrize("distance", [1, 2, 3, 4, 5, 7])
@pytest.mark.parametrize("size", [(23, 31), (8, 5), (1, 1), (1, 12)])
def test_one_pass_finds_what_erosions_of_each_class_take_away(distance, size):
    ids = blobs(np.random.default_rng(distance), *size, 3, void=0.01)
    found = boundary_pixels(ids, distance)
    assert found.shape == size
    for class_id in range(3):
        inside = ids == class_id
        assert np.array_equal(found & inside, literal.region(inside, distance))


@pytest.mark.parametrize("seed", range(3))
def test_scores_are_those_of_the_slow_version(seed):
    rng = np.random.default_rng(seed)
    sizes = [(40, 60), (90, 121), (12, 9)]  # distances 1, 3 and 1
    pairs = [(blobs(rng, *size, 4), blobs(rng, *size, 3, void=0.01)) for size in sizes]
    pairs += [(mask.copy(), mask) for _, mask in pairs]  # some that agree
    pairs = [(np.where(label_map == 255, 1, label_map), mask) for label_map, mask in pairs]
    expected = literal.boundary_iou(pairs, 4)
    assert expected[3] is None
    named = (
        (str(i), label_map.astype(np.uint8), mask) for i, (label_map, mask) in enumerate(pairs)
    )
    scores = score_label_maps(named, num_classes=4, boundary=True).scores
    assert scores.boundary.per_class_iou == pytest.approx(expected)
    assert scores.boundary.mean_iou == pytest.approx(np.mean(expected[:3]))
    assert 0.05 < scores.boundary.mean_iou < 0.95


def test_by_hand():
    """In a 5 x 5 image a square of 3 x 3 moves by one column; the distance is one pixel."""
    mask = np.zeros((5, 5), np.uint8)
    mask[1:4, 1:4] = 1
    moved = np.zeros((5, 5), np.uint8)
    moved[1:4, 2:5] = 1
    assert boundary_distance(5, 5) == 1
    counts = boundary_counts(moved, mask, num_classes=2)
    # class 1: rings of 8 pixels, of which 4 coincide: the middle of one is on the ring of the other
    assert counts[:, 1].tolist() == [4, 8, 8]
    # background: all 16 touch the square or the border, and so do 13 of both
    assert counts[:, 0].tolist() == [13, 16, 16]
    scores = scores_from_counts(counts)
    assert scores.per_class_iou == pytest.approx((13 / 19, 4 / 12))
    assert scores.mean_iou == pytest.approx((13 / 19 + 4 / 12) / 2)


def test_the_inside_of_a_large_object_does_not_count():
    """IoU hardly sees a hole in the middle of an object, and boundary IoU sees it by its rim."""
    mask = np.ones((200, 200), np.uint8)
    mask[:20] = 0
    hole = mask.copy()
    hole[100, 100] = 0
    counts = boundary_counts(hole, mask, num_classes=2)
    distance = boundary_distance(200, 200)
    around = (2 * distance + 1) ** 2 - 1
    assert distance == 6
    assert counts[1, 1] - counts[2, 1] == around
    assert counts[0, 1] == counts[2, 1]


@pytest.mark.parametrize(
    ("size", "distance"), [((375, 500), 12), ((500, 500), 14), ((1, 1), 1), ((48, 48), 1)]
)
def test_distance(size, distance):
    assert boundary_distance(*size) == distance


def test_ignored_pixels_never_count():
    rng = np.random.default_rng(0)
    mask = blobs(rng, 60, 80, 3)
    mask[20:40, 10:50] = 255
    right = np.where(mask == 255, rng.integers(0, 3, mask.shape), mask).astype(np.uint8)
    scores = score_label_maps([("a", right, mask)], num_classes=3, boundary=True).scores
    assert scores.boundary.per_class_iou == (1, 1, 1)
    assert scores.boundary.mean_iou == 1


def test_unsure_pixels_are_in_no_region():
    mask = np.zeros((20, 20), np.uint8)
    unsure = np.full((20, 20), 255, np.uint8)
    counts = boundary_counts(unsure, mask, num_classes=1)
    assert counts.tolist() == [[0], [0], [20 * 20 - 18 * 18]]


def test_tensors_of_wider_integers_are_as_good():
    rng = np.random.default_rng(1)
    label_map, mask = blobs(rng, 30, 40, 3), blobs(rng, 30, 40, 3, void=0.05)
    arrays, tensors = Tally(3, boundary=True), Tally(3, boundary=True)
    arrays.add("a", label_map, mask)
    tensors.add("a", torch.from_numpy(label_map.astype(np.int64)), torch.from_numpy(mask))
    assert torch.equal(arrays.boundary, tensors.boundary)
    assert arrays.boundary.sum() > 0


def test_only_on_request():
    zero = np.zeros((4, 4), np.uint8)
    scores = score_label_maps([("a", zero, zero)], num_classes=2).scores
    assert scores.boundary is None
    assert "boundary_iou" not in scores.to_dict(["background", "cat"])
    scores = score_label_maps([("a", zero, zero)], num_classes=2, boundary=True).scores
    values = scores.to_dict(["background", "cat"])
    assert values["boundary_iou"] == 1
    assert values["per_class_boundary_iou"] == {"background": 1, "cat": None}


@pytest.mark.parametrize("size", [(300, 40), (301, 37), (40, 300)])
def test_bands_of_rows_are_the_whole(size, monkeypatch):
    rng = np.random.default_rng(0)
    mask, label_map = blobs(rng, *size, 3), blobs(rng, *size, 3)
    mask[20:25, 3:30] = label_map[-9:, :4] = 255
    whole = boundary_counts(label_map, mask, num_classes=3)
    cut = []
    monkeypatch.setattr(
        room, "bands", lambda *given: cut.append(list(bands(*given))) or iter(cut[-1])
    )
    monkeypatch.setattr(room, "BAND", 1)
    monkeypatch.setattr(room, "OVERLAP", 1)
    assert torch.equal(boundary_counts(label_map, mask, num_classes=3), whole)
    assert len(cut[0]) > 5
    assert whole[0].sum() > 0


def test_memory_is_that_of_a_band(monkeypatch):
    mask = np.zeros((4000, 1000), np.uint8)
    mask[1000:2000] = 1
    monkeypatch.setattr(room, "BAND", 2**18)
    monkeypatch.setattr(room, "boundary_distance", lambda *_: 30)
    tracemalloc.start()
    boundary_counts(mask, mask, num_classes=2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * mask.nbytes  # four copies of the whole, and more, before
