"""Regions that touch and are alike become one."""

import numpy as np
import pytest
from tests.literal.merging import merged

from weclip.labels.regions.merging import mean_features, merge_alike, touching


def test_means_of_regions():
    ids = np.array([[0, 1], [1, 1]], np.int32)
    features = np.array([[[4.0], [1.0]], [[2.0], [3.0]]])
    assert mean_features(features, ids).tolist() == [[4.0], [2.0]]


def test_only_sides_touch():
    ids = np.array([[0, 1], [2, 0]], np.int32)
    assert touching(ids).tolist() == [
        [False, True, True],
        [True, False, False],
        [True, False, False],
    ]


def test_what_is_alike_but_apart_stays_apart():
    ids = np.array([[0, 1, 2]], np.int32)
    features = np.array([[0.0], [9.0], [0.0]])
    assert merge_alike(ids, features, 0.1).tolist() == [[0, 1, 2]]
    assert merge_alike(ids, features, 1e9).tolist() == [[0, 0, 0]]
    assert merge_alike(ids, features[[0, 0, 1]], 0.1).tolist() == [[0, 0, 1]]


@pytest.mark.parametrize("seed", range(6))
def test_equal_to_the_literal_form(seed):
    rng = np.random.default_rng(seed)
    ids = np.unique(rng.integers(0, 12, (9, 11)), return_inverse=True)[1].reshape(9, 11)
    features = rng.normal(size=(ids.max() + 1, 3))
    limit = rng.uniform(0.02, 0.4)
    found = merge_alike(ids.astype(np.int32), features, limit)
    wanted = merged(ids.tolist(), features.tolist(), limit)
    assert found.tolist() == wanted
    assert 1 < found.max() + 1 < ids.max() + 1
