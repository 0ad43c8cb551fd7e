"""Which regions merge, and which patches see each other, on few patches."""

import torch
import torch.nn.functional as F

from weclip.labels.region_attention.attention import attention, connected, merge_alike, scope
from weclip.labels.region_attention.ids import PADDING


def directions(*degrees):
    """(N, 2) unit rows."""
    angle = torch.tensor(degrees).deg2rad()
    return torch.stack([angle.cos(), angle.sin()], dim=1)


def test_a_chain_of_alike_regions_is_one():
    """40 degrees are 0.23 apart, 80 are 0.83: the middle connects, the fourth stays alone."""
    guide, ids = directions(80.0, 0.0, 40.0, 200.0), torch.tensor([3, 5, 7, 9])
    found = merge_alike(guide, ids, None, distance=0.25)
    assert found.tolist() == [PADDING, PADDING, PADDING, PADDING + 1]
    apart = merge_alike(guide, ids, None, distance=0.2)
    assert apart.tolist() == [PADDING, PADDING + 1, PADDING + 2, PADDING + 3]


def test_what_is_in_no_region_stays_out():
    guide, ids = directions(0.0, 10.0, 20.0), torch.tensor([5, 0, 7])
    assert merge_alike(guide, ids, 0, distance=0.1).tolist() == [PADDING, 0, PADDING]
    assert merge_alike(guide, ids, None, distance=0.1).tolist() == 3 * [PADDING]


def test_two_regions_do_not_merge():
    guide, ids = directions(0.0, 1.0), torch.tensor([5, 7])
    assert merge_alike(guide, ids, None, distance=0.2).tolist() == [5, 7]


def test_a_long_chain():
    """As long as there are nodes, and numbered against its direction."""
    order = torch.randperm(30, generator=torch.Generator().manual_seed(0))
    linked = torch.zeros(30, 30, dtype=torch.bool)
    linked[order[:-1], order[1:]] = linked[order[1:], order[:-1]] = True
    assert connected(linked).tolist() == 30 * [0]
    linked[order[9], order[10]] = linked[order[10], order[9]] = False
    assert connected(linked).unique(return_counts=True)[1].sort().values.tolist() == [10, 20]


def test_scope_is_symmetric_and_knows_no_region():
    guide = F.normalize(torch.randn(20, 4, generator=torch.Generator().manual_seed(0)), dim=1)
    ids = torch.arange(20) % 4
    similarity = guide @ guide.T
    found = scope(similarity, ids, 0)
    assert torch.equal(found, found.T)
    assert found.diagonal().all()
    assert torch.equal(scope(similarity, ids, None), ids[:, None] == ids)


def test_a_patch_that_sees_none_sees_all():
    similarity = torch.tensor([[1.0, 0.5], [0.5, 1.0]])
    allowed = torch.tensor([[False, False], [True, False]])
    assert attention(similarity, allowed, temperature=4.0).tolist() == [[0.5, 0.5], [1.0, 0.0]]
