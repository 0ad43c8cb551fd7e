"""Overlapping masks painted into an id map."""

import numpy as np

from weclip.labels.regions.painting import by_area, by_score
from weclip.labels.regions.regions import Proposals


def proposals(rows, scores):
    return Proposals(np.array(rows, bool)[:, None], np.array(scores, np.float32))


ROWS = [[1, 1, 0, 0, 0], [0, 1, 1, 1, 0], [0, 0, 0, 1, 0]]


def test_the_surer_one_wins_and_unsure_ones_are_left_out():
    found = proposals(ROWS, [0.9, 0.6, 0.4])
    assert by_score(found).tolist() == [[1, 1, 2, 2, 0]]
    assert by_score(found, 0.4).tolist() == [[1, 1, 2, 2, 0]]
    assert by_score(proposals(ROWS, [0.4, 0.6, 0.9])).tolist() == [[0, 1, 1, 2, 0]]


def test_of_equal_scores_the_later_one_wins():
    assert by_score(proposals(ROWS, [0.7, 0.7, 0.7])).tolist() == [[1, 2, 2, 3, 0]]


def test_the_larger_one_wins_and_is_numbered_by_its_area():
    assert by_area(proposals(ROWS, [0, 0, 0])).tolist() == [[2, 3, 3, 3, 0]]
    assert by_area(proposals(ROWS[:1] * 2, [0, 0])).tolist() == [[2, 2, 0, 0, 0]]


def test_no_mask_is_no_region():
    empty = Proposals(np.zeros((0, 2, 3), bool), np.zeros(0, np.float32))
    assert by_score(empty).tolist() == by_area(empty).tolist() == [[0] * 3] * 2
