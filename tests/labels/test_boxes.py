"""Regions are found in a number of rounds that is fixed beforehand: enough for every mask."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tests.literal import regions as literal

from weclip.labels.boxes import connected_blocks, region_boxes


def at_patches(labels, size):
    """Labels (M, H, W) of patches, of those of blocks of 2 x 2."""
    height, width = ((side + 1) // 2 for side in size)
    blocks = labels.view(-1, height, width)
    patches = blocks.repeat_interleave(2, 1).repeat_interleave(2, 2)
    return patches[:, : size[0], : size[1]]


def partition(labels):
    """Each label replaced by the first place where its map has it."""
    flat = labels.flatten(1)
    return torch.stack([(row[:, None] == row).int().argmax(dim=1) for row in flat])


def check(strong):
    _, height, width = strong.shape
    even = torch.nn.functional.pad(strong, (0, width % 2, 0, height % 2))
    labels = at_patches(connected_blocks(even), (height, width)) * strong
    assert torch.equal(labels > 0, strong)
    assert torch.equal(partition(labels), partition(literal.region_labels(strong)))


def spiral(size):
    """A path as long as can be, wound up."""
    maps = torch.zeros(size, size, dtype=torch.bool)
    y, x, dy, dx = 0, 0, 0, 1
    maps[0, 0] = True

    def free(y, x):
        return 0 <= y < size and 0 <= x < size and not maps[y, x]

    for _ in range(size * size):
        ahead, two = (y + dy, x + dx), (y + 2 * dy, x + 2 * dx)
        beyond = not (0 <= two[0] < size and 0 <= two[1] < size)
        if free(*ahead) and (beyond or not maps[two]):
            y, x = ahead
            maps[y, x] = True
        else:
            dy, dx = dx, -dy
    return maps


def snake(size):
    """Rows that are joined at one end, then at the other."""
    maps = torch.zeros(size, size, dtype=torch.bool)
    maps[::2] = True
    maps[1::4, -1] = maps[3::4, 0] = True
    return maps


def comb(size):
    """Teeth that are joined at one side alone."""
    maps = torch.zeros(size, size, dtype=torch.bool)
    maps[:, ::2] = maps[-1] = True
    return maps


def fans(size):
    """Teeth from both sides, which do not meet."""
    maps = torch.zeros(size, size, dtype=torch.bool)
    maps[0], maps[-1] = True, True
    maps[:-2, ::4], maps[2:, 2::4] = True, True
    return maps


def turned(maps):
    """A square map in all 8 ways: the numbers of its blocks rise in other directions."""
    turns = [maps.rot90(turn) for turn in range(4)]
    return torch.stack([*turns, *(each.T for each in turns)])


@pytest.mark.parametrize("shape", [spiral, snake, comb, fans])
def test_long_ways(shape):
    for size in (*range(1, 16), 20, 33):
        check(turned(shape(size)))


@pytest.mark.parametrize("size", [(3, 4), (2, 6), (1, 12), (12, 1)])
def test_every_map_of_a_few_patches(size):
    count = size[0] * size[1]
    bits = (torch.arange(2**count)[:, None] >> torch.arange(count)) & 1
    check(bits.bool().view(-1, *size))


@given(
    st.tuples(st.integers(1, 4), st.integers(1, 21), st.integers(1, 21)).flatmap(
        lambda shape: arrays(np.bool_, shape)
    )
)
@settings(max_examples=50, deadline=None)
def test_any_maps(strong):
    check(torch.from_numpy(strong))


@pytest.mark.parametrize("density", [0.1, 0.3, 0.4, 0.5, 0.7])
@pytest.mark.parametrize("size", [(20, 20), (21, 34), (1, 50), (63, 40)])
def test_boxes_of_random_maps(size, density):
    strong = torch.rand(6, *size, generator=torch.Generator().manual_seed(size[0])) < density
    assert torch.equal(region_boxes(strong, exclusive_edge=False), literal.region_boxes(strong))


def test_fewer_rounds_would_not_do(monkeypatch):
    """Else nothing here would look at their number."""
    monkeypatch.setattr("weclip.labels.boxes._joined", lambda labels, strong, numbers: numbers)
    with pytest.raises(AssertionError):
        check(turned(snake(20)))
