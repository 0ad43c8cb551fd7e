"""Refined scores against loops; thresholds on numbers that can be followed by hand."""

import numpy as np
import pytest
import torch
from tests.literal import tag_clip as literal

from weclip.backbones.clip.text_features import text_probabilities
from weclip.labels.auto_tags import (
    dual_masked_attention,
    min_max,
    otsu_threshold,
    refine_scores,
    relative_choice,
    split_thresholds,
)

HEIGHT, WIDTH = 5, 7


def random_attention(blocks: int, batch: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    size = HEIGHT * WIDTH
    return (2 * torch.randn(blocks, batch, size, size, generator=generator)).softmax(dim=-1)


@pytest.mark.parametrize(
    ("blocks", "first", "votes"), [(12, 8, 4), (6, 4, 2), (3, 1, 1), (2, 0, 2)]
)
def test_attention_is_masked_as_in_loops(blocks, first, votes):
    attention = random_attention(blocks, 2)
    ours = dual_masked_attention(attention, first=first, votes=votes)
    for image in range(2):
        expected = literal.dual_masked_attention(attention[:, image].double().numpy(), first, votes)
        torch.testing.assert_close(ours[image].double(), torch.tensor(expected), rtol=1e-5, atol=0)
    assert 0 < (ours == 0).double().mean() < 1


def test_the_block_before_the_last_is_always_averaged():
    attention = random_attention(3, 1)
    ours = dual_masked_attention(attention, first=2, votes=0)
    assert torch.equal(ours, attention[1])


def test_one_block_has_only_itself():
    attention = random_attention(1, 1)
    assert torch.equal(dual_masked_attention(attention, first=0, votes=0), attention[0])


@pytest.mark.parametrize("seed", range(4))
def test_scores_are_refined_as_in_loops(seed):
    attention = dual_masked_attention(random_attention(6, 2, seed), first=4, votes=2)
    generator = torch.Generator().manual_seed(seed)
    scores = torch.rand(2, 3, HEIGHT, WIDTH, generator=generator) ** 6
    ours = refine_scores(scores, attention)
    for image in range(2):
        expected = literal.refine_scores(
            scores[image].flatten(1).double().numpy(),
            attention[image].double().numpy(),
            HEIGHT,
            WIDTH,
        )
        found = ours[image].flatten(1).double()
        torch.testing.assert_close(found, torch.tensor(expected), rtol=1e-5, atol=1e-9)


def test_released_boxes_are_those_of_whole_levels_without_the_last_row_and_column():
    generator = torch.Generator().manual_seed(0)
    scores = torch.rand(1, 4, HEIGHT, WIDTH, generator=generator) ** 6
    attention = torch.eye(HEIGHT * WIDTH)[None]
    found = refine_scores(scores, attention, released_boxes=True)[0]
    for own, refined in zip(scores[0], found, strict=True):
        torch.testing.assert_close(refined, own * literal.level_boxes(own))
    assert not torch.allclose(found, refine_scores(scores, attention)[0])


def test_patches_outside_the_boxes_do_not_spread():
    scores = torch.zeros(1, 1, 4, 4)
    scores[0, 0, 0, 0], scores[0, 0, 3, 3] = 1.0, 0.01
    refined = refine_scores(scores, torch.eye(16)[None])
    assert refined[0, 0, 0, 0] == 1
    assert refined[0, 0, 3, 3] == 0


def test_a_map_without_differences_stays_finite():
    flat = torch.full((1, 1, 2, 2), 0.5)
    assert torch.equal(min_max(flat), torch.zeros_like(flat))
    assert refine_scores(flat, torch.eye(4)[None]).isfinite().all()


def test_probabilities_are_over_all_texts():
    texts = torch.eye(3)
    found = text_probabilities(torch.tensor([[1.0, 0, 0]]), texts, 2.0)
    expected = np.exp([2, 0, 0]) / np.exp([2, 0, 0]).sum()
    assert found[0].tolist() == pytest.approx(expected.tolist())


def test_relative_choice_is_per_image_and_never_empty():
    scores = torch.tensor([[0.1, 0.4, 0.9, 0.6], [0.2, 0.2, 0.2, 0.2], [0.0, 0.001, 0.0, 0.0]])
    assert relative_choice(scores, 0.5).tolist() == [
        [False, False, True, True],
        [True, True, True, True],
        [False, True, False, False],
    ]
    assert relative_choice(scores, 1.0).any(dim=1).all()


@pytest.mark.parametrize("seed", range(5))
def test_otsu_is_the_best_of_all_cuts(seed):
    rng = np.random.default_rng(seed)
    values = np.concatenate([rng.normal(0, 1, 40), rng.normal(3, 0.5, 9)])
    assert otsu_threshold(torch.tensor(values)) == pytest.approx(literal.otsu(values))


@pytest.mark.parametrize("values", [[0.3], [0.3, 0.3, 0.3]])
def test_otsu_of_one_number_is_the_number(values):
    assert otsu_threshold(torch.tensor(values)) == pytest.approx(0.3)


def test_each_class_has_the_threshold_between_its_own_groups():
    scores = torch.tensor([[0.9, 0.30], [0.8, 0.02], [0.1, 0.35], [0.2, 0.01]])
    thresholds = split_thresholds(scores, floor=0)
    assert thresholds.tolist() == pytest.approx([0.5, 0.16])
    assert (scores > thresholds).tolist() == [
        [True, True],
        [True, False],
        [False, True],
        [False] * 2,
    ]


def test_a_class_that_is_nowhere_is_not_found_in_its_noise():
    scores = torch.tensor([[0.9, 0.030], [0.8, 0.002], [0.1, 0.035], [0.2, 0.001]])
    assert (scores > split_thresholds(scores, floor=0))[:, 1].any()
    assert not (scores > split_thresholds(scores, floor=0.5))[:, 1].any()
