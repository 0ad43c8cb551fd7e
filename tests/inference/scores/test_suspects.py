"""Doubtful tags: found where tags and scores contradict each other, and nowhere else."""

import pytest
import torch

from weclip.inference.scores.suspects import find_suspects, fit_logistic, probability_of_tags
from weclip.system.errors import InputError

IMAGES, CLASSES = 200, 5


@pytest.fixture
def true():
    """(M, K) tags: one or two an image."""
    rng = torch.Generator().manual_seed(0)
    tags = torch.zeros(IMAGES, CLASSES, dtype=torch.bool)
    for row in tags:
        row[torch.randperm(CLASSES, generator=rng)[:2]] = True
    return tags


@pytest.fixture
def scores(true):
    """Scores of a CLIP that is nearly sure, on scales of the classes' own."""
    rng = torch.Generator().manual_seed(1)
    noise = 0.15 * torch.randn(IMAGES, CLASSES, generator=rng)
    return (true + noise) * torch.tensor([1.0, 0.1, 3.0, 0.01, 1.0]) + torch.arange(5.0)


def test_right_tags_are_not_doubted(scores, true):
    assert find_suspects(scores, true) == []


def test_one_of_each_kind(scores, true):
    given = true.clone()
    replaced, dropped, added = 3, 50, 120
    tag, other = int(true[replaced].nonzero()[0]), int((~true[replaced]).nonzero()[0])
    given[replaced, tag], given[replaced, other] = False, True
    missing = int(true[dropped].nonzero()[1])
    given[dropped, missing] = False
    wrong = int((~true[added]).nonzero()[1])
    given[added, wrong] = True
    found = find_suspects(scores, given)
    assert {(each.image, each.tag, each.seen) for each in found} == {
        (replaced, other, tag),
        (dropped, None, missing),
        (added, wrong, None),
    }
    assert found[0].image == replaced  # both say so
    assert [each.confidence for each in found] == sorted(
        (e.confidence for e in found), reverse=True
    )
    assert all(0.95 < each.confidence <= 1 for each in found)


def test_every_tenth_tag_is_wrong(scores, true):
    given, spoilt = true.clone(), set()
    for image in range(0, IMAGES, 5):
        tag, other = int(true[image].nonzero()[0]), int((~true[image]).nonzero()[0])
        given[image, tag], given[image, other] = False, True
        spoilt.add((image, other, tag))
    found = {(each.image, each.tag, each.seen) for each in find_suspects(scores, given)}
    assert len(found & spoilt) >= 0.95 * len(spoilt)
    assert len(found & spoilt) >= 0.95 * len(found)


def test_fewer_where_more_confidence_is_wanted(scores, true):
    given = true.roll(7, 0)
    given[20:] = true[20:]
    counts = [len(find_suspects(scores, given, confidence)) for confidence in (0.5, 0.95, 0.9999)]
    assert counts[0] >= counts[1] >= counts[2]
    assert counts[0] > 0


def test_images_that_cannot_be_read_are_left_out(scores, true):
    scores[4], given = float("nan"), true.clone()
    given[4] = ~given[4]
    given[9, int((~true[9]).nonzero()[0])] = True
    assert [each.image for each in find_suspects(scores, given)] == [9]


def test_scores_that_know_nothing(scores, true):
    with pytest.raises(InputError, match="agree no better than chance"):
        find_suspects(-scores, true)


def test_a_class_of_one_score(scores, true):
    scores[:, 2] = 7.0
    assert not any(
        2 in (e.tag, e.seen) and e.confidence > 0.99 for e in find_suspects(scores, true)
    )


def test_probabilities_are_of_the_given_tags(scores, true):
    likely = probability_of_tags(scores.double(), true)
    assert likely[true].mean() > 0.95
    assert likely[~true].mean() < 0.05


def test_logistic_regression_of_known_weights():
    x = torch.linspace(-4, 4, 4001, dtype=torch.float64)
    slope, offset = fit_logistic(x, torch.sigmoid(1.5 * x - 0.5))
    assert (slope, offset) == pytest.approx((1.5, -0.5), abs=1e-3)
