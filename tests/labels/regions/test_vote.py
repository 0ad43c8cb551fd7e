"""Regions take their most frequent class."""

from collections import Counter

import pytest
import torch

from weclip.data.batch import IGNORE_INDEX
from weclip.labels.regions.vote import vote


def literal(label_map, ids, none, *, fill):
    out = label_map.clone()
    for region in set(ids.flatten().tolist()) - {none}:
        own = label_map[ids == region].tolist()
        votes = Counter(label for label in own if label != IGNORE_INDEX)
        if votes:
            most = max(votes.values())
            winner = min(label for label, count in votes.items() if count == most)
            inside = (ids == region) & (fill | (label_map != IGNORE_INDEX))
            out[inside] = winner
    return out


@pytest.mark.parametrize("fill", [False, True])
@pytest.mark.parametrize(
    ("lowest", "least"), [(0, False), (0, True), (2, False), (2, True), (-1, True)]
)
def test_as_in_a_loop(lowest, least, fill):
    generator = torch.Generator().manual_seed(5)
    label_map = torch.randint(4, (12, 17), generator=generator).to(torch.uint8)
    label_map[torch.rand(12, 17, generator=generator) < 0.2] = IGNORE_INDEX
    ids = torch.randint(lowest, 40, (12, 17), generator=generator)
    none = lowest if least else 0
    found = vote(label_map, ids, least_id_is_none=least, fill_ignored=fill)
    assert found.dtype == torch.uint8
    assert torch.equal(found, literal(label_map, ids, none, fill=fill))


def test_a_tie_and_a_region_of_ignored_pixels():
    label_map = torch.tensor([[3, 1, 3, 1], [255, 255, 2, 2]], dtype=torch.uint8)
    ids = torch.tensor([[7, 7, 7, 7], [9, 9, 0, 0]])
    expected = [[1, 1, 1, 1], [255, 255, 2, 2]]
    assert vote(label_map, ids).tolist() == expected
    assert vote(label_map, ids, fill_ignored=True).tolist() == expected


def test_without_regions_nothing_changes():
    label_map = torch.arange(12, dtype=torch.uint8).view(3, 4)
    nothing = torch.zeros(3, 4, dtype=torch.int64)
    assert torch.equal(vote(label_map, nothing), label_map)
    one = nothing + 6
    assert torch.equal(vote(label_map, one, least_id_is_none=True), label_map)  # as released
    assert vote(label_map, one).unique().tolist() == [0]


def test_another_size_is_refused():
    with pytest.raises(ValueError, match=r"label map \(2, 3\), but regions \(3, 2\)"):
        vote(torch.zeros(2, 3), torch.zeros(3, 2))
