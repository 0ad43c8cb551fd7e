"""Which of SAM's candidates are kept, by a stand-in whose masks are known."""

import numpy as np
import pytest
import torch

from weclip.labels.regions.sam2.masks import (
    Thresholds,
    box_iou,
    box_of,
    masks_of_points,
    point_grid,
    stability,
)

SIZE = (40, 60)
ALL = Thresholds(iou=0.0, stability=0.0, box_iou=1.0, least_area=0)


def square(y, x, side=2, inside=9.0, outside=-9.0):
    """(8, 12) logits of a square."""
    logits = torch.full((8, 12), outside)
    logits[y : y + side, x : x + side] = inside
    return logits


CANDIDATES = [
    (square(0, 0), 0.9),
    (square(0, 0), 0.95),  # the same box, surer
    (square(4, 4), 0.5),
    (square(4, 8, inside=0.5), 0.8),  # unstable: nothing above 1
    (square(2, 6, side=1), 0.7),
    (torch.full((8, 12), -9.0), 0.99),  # empty
]


class Stub:
    """Gives the candidates in their order, one a point, and then empty ones."""

    def __init__(self):
        self.points = []

    def __call__(self, points):
        start = len(self.points)
        self.points += points.tolist()
        empty = (torch.full((8, 12), -9.0), 0.0)
        rows = [(CANDIDATES[start:] + [empty] * len(points))[i] for i in range(len(points))]
        logits = torch.stack([each for each, _ in rows])[:, None]
        return logits, torch.tensor([[score] for _, score in rows])


def kept(thresholds, together=4):
    found = masks_of_points(Stub(), SIZE, thresholds, side=3, together=together)
    assert found.masks.shape == (len(found.scores), *SIZE)
    return [round(float(score), 2) for score in found.scores]


@pytest.mark.parametrize(
    ("thresholds", "scores"),
    [
        (ALL, [0.95, 0.9, 0.7, 0.5]),
        (Thresholds(0.0, 0.0, 0.7, 0), [0.95, 0.7, 0.5]),
        (Thresholds(0.6, 0.0, 0.7, 0), [0.95, 0.7]),
        (Thresholds(0.95, 0.0, 0.7, 0), []),
        (Thresholds(0.0, 0.0, 0.7, 60), [0.95, 0.5]),
        (Thresholds(0.0, 0.85, 0.7, 0), [0.95, 0.5]),
        (Thresholds(0.0, 0.999, 0.7, 0), []),
    ],
)
def test_thresholds_and_suppression(thresholds, scores):
    assert kept(thresholds) == scores
    assert kept(thresholds, together=9) == scores


def test_masks_lie_where_the_logits_do():
    found = masks_of_points(Stub(), SIZE, Thresholds(0.92, 0, 0.7, 0), side=3, together=2)
    assert found.masks[0, :9, :9].all()
    assert not found.masks[0, 12:].any()
    assert not found.masks[0, :, 12:].any()
    assert found.scores.dtype == np.float32


def test_every_point_is_asked_once():
    stub = Stub()
    masks_of_points(stub, SIZE, ALL, side=5, together=4)
    assert stub.points == point_grid(5).tolist()
    assert len({*map(tuple, stub.points)}) == 25


def test_stability_and_boxes():
    assert stability(torch.full((2, 2), -2.0)) == 0
    assert stability(torch.tensor([[2.0, 0.0]])) == 0.5
    mask = torch.zeros(5, 6, dtype=torch.bool)
    mask[1:3, 2:6] = True
    assert box_of(mask) == (2, 1, 5, 2)
    boxes = np.array([[0, 0, 4, 4], [2, 2, 6, 6], [9, 9, 9, 9]], float)
    assert box_iou(boxes[0], boxes).tolist() == pytest.approx([1, 4 / 28, 0])
    assert box_iou(boxes[2], boxes[2:]).tolist() == [0]
