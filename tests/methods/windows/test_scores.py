"""Scores of pixels from cosines with words."""

from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from weclip.data.windows import windows
from weclip.labels.region_attention.words import Words, word_scores
from weclip.methods.windows.scores import WordScores

WORDS = Words(torch.zeros(4, 8), (0, 0, 1, 2), 40.0)


@pytest.mark.parametrize("ids", [[0, 1, 2], [0, 2], [0]])
def test_scores_in_parts(monkeypatch, ids):
    """Those of all classes at once, which a large image has no memory for."""
    cosine = torch.rand(4, 9, 12, generator=torch.Generator().manual_seed(0)) * 0.2
    whole = F.interpolate(cosine[None], (40, 60), mode="bilinear")[0]
    expected = word_scores(whole, WORDS.classes, scale=40, allowed=ids)[ids]
    parts = partial(windows, most=1000)
    assert len(list(parts((40, 60), 4))) > 4
    monkeypatch.setattr("weclip.methods.windows.scores.windows", parts)
    scores = WordScores(cosine, WORDS, np.array(ids, np.uint8), (40, 60))
    found = torch.full((len(ids), 40, 60), torch.nan)
    for (rows, columns), part in scores.windows():
        found[:, rows, columns] = part
    torch.testing.assert_close(found, expected)


def test_maps_of_the_tags():
    """Means of cosines over cells, then their scores."""
    cosine = torch.rand(4, 4, 6, generator=torch.Generator().manual_seed(0)) * 0.2
    scores = WordScores(cosine, WORDS, np.array([0, 2], np.uint8), (40, 60))
    cells = cosine.view(4, 2, 2, 3, 2).mean(dim=(2, 4))
    expected = word_scores(cells, WORDS.classes, scale=40, allowed=[0, 2])[[2]]
    torch.testing.assert_close(scores.tag_maps((2, 3)), expected)
