"""Words to classes: a softmax over words, the maximum of a class's words."""

import pytest
import torch

from weclip.labels.region_attention.words import word_scores

WORDS = (0, 0, 1, 2, 2)


def cosines():
    return torch.rand(len(WORDS), 3, 4, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("allowed", [None, [0, 2], [1]])
def test_scores(allowed):
    cosine = cosines()
    scores = word_scores(cosine, WORDS, scale=7.0, allowed=allowed)
    assert scores.shape == (3, 3, 4)
    for y in range(3):
        for x in range(4):
            power = [
                torch.exp(7 * cosine[q, y, x]) if allowed is None or c in allowed else 0.0
                for q, c in enumerate(WORDS)
            ]
            for c in range(3):
                best = max(p for p, own in zip(power, WORDS, strict=True) if own == c)
                assert scores[c, y, x].item() == pytest.approx(float(best / sum(power)), abs=1e-6)


def test_cosines_are_left_as_they_are():
    cosine = cosines()
    word_scores(cosine, WORDS, scale=1.0, allowed=[0])
    assert torch.equal(cosine, cosines())
