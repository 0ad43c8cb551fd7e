"""Banks against their word-for-word form, on random input."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tests.literal import banks as literal

from weclip.labels.banks import search
from weclip.labels.banks.pseudo_regions import inner, purified
from weclip.labels.banks.region_features import id_weights, mask_weights, means_at_pixels
from weclip.labels.banks.search import nearest
from weclip.labels.banks.voting import count_votes, kept, owners, painted


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def unit(*shape: int, seed: int = 0) -> torch.Tensor:
    return F.normalize(random(*shape, seed=seed), dim=-1)


@pytest.mark.parametrize("chunk", [7, 100])
def test_search(monkeypatch: pytest.MonkeyPatch, chunk: int):
    monkeypatch.setattr(search, "CHUNK", chunk)
    keys, queries = unit(40, 8), unit(5, 8, seed=1)
    left_out = torch.zeros(40, dtype=torch.bool)
    left_out[[3, 4, 30]] = True
    rows, cosines = nearest(keys, queries, 6, left_out)
    expected = literal.nearest(keys.numpy(), queries.numpy(), 6, {3, 4, 30})
    assert rows.tolist() == [[row for row, _ in each] for each in expected]
    alike = torch.tensor([[value for _, value in each] for each in expected])
    torch.testing.assert_close(cosines, alike)


@pytest.mark.parametrize("chunk", [3, 100])
def test_equal_rows_come_in_order(monkeypatch: pytest.MonkeyPatch, chunk: int):
    monkeypatch.setattr(search, "CHUNK", chunk)
    keys = unit(1, 4).repeat(20, 1)
    rows, _ = nearest(keys, keys[:2], 5)
    assert rows.tolist() == [[0, 1, 2, 3, 4]] * 2


@pytest.mark.parametrize(("there", "found"), [(4, 4), (0, 0)])
def test_fewer_rows_than_wanted(there: int, found: int):
    left_out = torch.arange(6) >= there
    rows, cosines = nearest(unit(6, 4), unit(2, 4), 5, left_out)
    assert rows.shape == cosines.shape == (2, found)
    assert cosines.isfinite().all()


@pytest.mark.parametrize("reach", [0, 1, 4])
def test_erosion(reach: int):
    mask = F.interpolate(random(1, 1, 5, 6), (33, 41), mode="bilinear")[0, 0] > -0.4
    assert np.array_equal(inner(mask, reach).numpy(), literal.eroded(mask.numpy(), reach))


def test_weights_of_patches():
    ids = (3 * torch.rand(23, 31, generator=torch.Generator().manual_seed(0))).long()
    masks = [ids == each for each in range(3)]
    expected = np.stack([literal.patch_weights(mask.numpy(), 7) for mask in masks])
    for found in (mask_weights(masks, 7), id_weights(ids, 3, 7)):
        torch.testing.assert_close(found, torch.from_numpy(expected).float())


def test_purification():
    features, classes = random(30, 5), torch.arange(30) % 3
    found = purified(features, classes, share=0.25, background=0.1)
    expected = literal.kept(features.numpy(), classes.tolist(), 0.25, 0.1)
    assert found.tolist() == expected
    assert expected.count(False) == 1 + 2 + 2


def test_votes():
    classes = (4 * torch.rand(50, 6, generator=torch.Generator().manual_seed(1))).long()
    alike = (4 * random(50, 6, seed=2)).round().sort(dim=1, descending=True).values / 4  # ties
    found = count_votes(classes, alike, 4)
    for i in range(50):
        winner, score = literal.named(classes[i].tolist(), alike[i].tolist())
        assert found.winner[i] == winner
        assert found.scores[i].item() == pytest.approx(score)
    assert torch.equal(found.shares().argmax(dim=1), found.winner)


def test_nobody_votes():
    found = count_votes(torch.empty(2, 0, dtype=torch.int64), torch.empty(2, 0), 4)
    assert found.winner.tolist() == [0, 0]
    assert found.shares()[:, 0].tolist() == [1, 1]


def test_painting():
    generator = torch.Generator().manual_seed(3)
    low = torch.rand(12, 1, 4, 5, generator=generator)
    masks = F.interpolate(low, (16, 20), mode="bilinear")[:, 0] > 0.5
    classes = (3 * torch.rand(12, 5, generator=generator)).long()
    votes = count_votes(classes, torch.rand(12, 5, generator=generator).sort(1, True).values, 3)
    stays = kept(masks, votes, most_overlap=0.3)
    found = painted(votes.shares(), owners(masks, votes, stays)).argmax(dim=0)
    expected = literal.label_map(
        list(masks.numpy()), votes.winner.tolist(), votes.scores.tolist(), 0.3
    )
    assert not stays.all()
    assert len(np.unique(expected)) == 3
    assert np.array_equal(found.numpy(), expected)


@pytest.mark.parametrize("unit_pixels", [True, False])
def test_means_at_pixels(unit_pixels: bool):
    maps = random(4, 9, 11)
    ids = (5 * torch.rand(9, 11, generator=torch.Generator().manual_seed(0))).long() * 3
    present, means = means_at_pixels(maps, ids, unit=unit_pixels)
    expected = literal.region_means(maps.numpy(), ids.numpy(), unit_pixels)
    assert present.tolist() == sorted(expected)
    for each, mean in zip(present.tolist(), means, strict=True):
        torch.testing.assert_close(mean, torch.from_numpy(expected[each]).float())
