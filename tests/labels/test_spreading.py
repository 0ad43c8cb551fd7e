import numpy as np
import pytest
import torch
from tests.literal import box_mask as literal_box
from tests.literal import refined_affinity as literal_refined
from tests.literal import sinkhorn as literal_sinkhorn

from weclip.labels.boxes import box_mask
from weclip.labels.spreading import (
    patch_attention,
    propagate,
    refined_affinity,
    sinkhorn_transition,
)


def random_attention(blocks, batch, patches, seed=0):
    generator = torch.Generator().manual_seed(seed)
    scores = 2 * torch.randn(blocks, batch, patches + 1, patches + 1, generator=generator)
    return scores.softmax(dim=-1)


def random_feature_affinity(batch, patches, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.sigmoid(torch.randn(batch, patches, patches, generator=generator))


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize(
    ("blocks", "last", "patches"), [(3, 6, 5), (12, 6, 12), (12, 10, 7), (4, 1, 1)]
)
def test_refined_affinity_against_literal(signed, blocks, last, patches):
    attention = random_attention(blocks, 3, patches)
    target = random_feature_affinity(3, patches)
    ours = refined_affinity(patch_attention(list(attention), last), target, signed=signed)
    for i in range(3):
        expected = literal_refined.refined_affinity(
            attention[:, i].double().numpy(), target[i].double().numpy(), last=last, signed=signed
        )
        torch.testing.assert_close(ours[i].double(), torch.tensor(expected), rtol=1e-5, atol=1e-7)
    assert ours.dtype == torch.float32


@pytest.mark.parametrize(("blocks", "last"), [(12, 8), (3, 8)])
def test_initial_affinity_against_literal(blocks, last):
    attention = random_attention(blocks, 2, 6)
    ours = patch_attention(list(attention), last).mean(dim=0)
    for i in range(2):
        expected = literal_refined.initial_affinity(attention[:, i].double().numpy(), last)
        torch.testing.assert_close(ours[i].double(), torch.tensor(expected), rtol=1e-5, atol=1e-7)


def kept_layers(attention, target, *, signed):
    """Which of L' maps were averaged, read off the result by solving for 0/1 coefficients."""
    ours = refined_affinity(attention, target, signed=signed) / target
    columns = attention[:, 0].flatten(1).T.double()
    solution = torch.linalg.lstsq(columns, ours[0].flatten()[:, None].double()).solution
    return (solution[:, 0] > 1e-3).tolist()


def test_signed_distance_ignores_the_decoder():
    """Quirk: every choice is the same; the paper's absolute form follows the decoder."""
    attention = patch_attention(list(random_attention(6, 1, 9)), 6)
    targets = [random_feature_affinity(1, 9, seed) for seed in range(8)]
    targets += [attention[i] * 0.9 + 0.05 for i in range(6)]  # close to one of the maps
    signed = {tuple(kept_layers(attention, t, signed=True)) for t in targets}
    absolute = {tuple(kept_layers(attention, t, signed=False)) for t in targets}
    assert len(signed) == 1
    assert len(absolute) > 1
    for i in range(6):  # the map that the decoder agrees with is kept
        assert kept_layers(attention, targets[8 + i], signed=False)[i]


def test_equal_maps_are_all_kept():
    """Rounding of the mean must not drop every map, which would divide 0 by 0 afterwards."""
    for seed in range(20):
        one = patch_attention(list(random_attention(1, 2, 9, seed)), 1)
        target = random_feature_affinity(2, 9, seed)
        for layers in (3, 6, 7, 10):
            ours = refined_affinity(one.expand(layers, -1, -1, -1), target, signed=False)
            torch.testing.assert_close(ours, one[0] * target, rtol=1e-4, atol=1e-7)


def test_no_gradient_reaches_the_decoder():
    target = random_feature_affinity(1, 4).requires_grad_()
    attention = patch_attention(list(random_attention(3, 1, 4)), 3)
    assert not refined_affinity(attention, target, signed=False).requires_grad


@pytest.mark.parametrize("patches", [1, 2, 9, 20])
def test_sinkhorn_against_literal(patches):
    affinity = torch.rand(3, patches, patches, generator=torch.Generator().manual_seed(0)) + 1e-3
    ours = sinkhorn_transition(affinity, 3)
    for i in range(3):
        expected = torch.tensor(literal_sinkhorn.transition(affinity[i].double().numpy()))
        torch.testing.assert_close(ours[i].double(), expected, rtol=1e-4, atol=1e-6)
        alone = sinkhorn_transition(affinity[i : i + 1], 3)[0]
        torch.testing.assert_close(ours[i], alone, rtol=1e-5, atol=1e-7)
    assert ours.dtype == torch.float32


def test_sinkhorn_does_not_write_into_its_input():
    affinity = torch.rand(1, 4, 4) + 0.1
    before = affinity.clone()
    sinkhorn_transition(affinity, 3)
    assert torch.equal(affinity, before)


def spiral():
    """Two arms that never touch, 9 x 9."""
    art = """
    #########
    #.......#
    #.#####.#
    #.#...#.#
    #.#.#.#.#
    #.#.###.#
    #.#.....#
    #.#######
    #........
    """
    return torch.tensor([[c == "#" for c in row] for row in art.split()]).float()


def diagonal(size=7):
    return torch.eye(size)


def ring_with_island():
    ring = torch.zeros(9, 9)
    ring[1:8, 1:8] = 1
    ring[2:7, 2:7] = 0
    ring[4, 4] = 1
    return ring


def anti_diagonals():
    """Two components that touch only across corners of nothing."""
    maps = torch.zeros(6, 8)
    for i in range(3):
        maps[i, 2 - i] = maps[3 + i, 7 - i] = 1
    return maps


SPECIAL = {
    "spiral": spiral(),
    "diagonal": diagonal(),
    "ring with island": ring_with_island(),
    "anti-diagonals": anti_diagonals(),
    "last corner": torch.eye(5).roll(0, 0) * (torch.arange(5) == 4),
    "empty": torch.zeros(4, 6),
    "full": torch.ones(4, 6),
    "one patch": torch.ones(1, 1),
    "one row": torch.tensor([[1.0, 0, 1, 1, 0, 1]]),
    "one column": torch.tensor([[1.0], [0], [1]]),
}


def check_boxes(cam, theta, exclusive_edge):
    ours = box_mask(cam, theta, exclusive_edge=exclusive_edge)
    for i, maps in enumerate(cam):
        for k, one in enumerate(maps):
            expected = literal_box.box_mask(one.numpy(), theta, exclusive_edge=exclusive_edge)
            np.testing.assert_array_equal(ours[i, k].numpy(), expected.astype(bool))


@pytest.mark.parametrize("exclusive_edge", [True, False])
@pytest.mark.parametrize("name", SPECIAL)
def test_boxes_of_special_shapes(name, exclusive_edge):
    check_boxes(SPECIAL[name][None, None], 0.4, exclusive_edge)


@pytest.mark.parametrize("exclusive_edge", [True, False])
@pytest.mark.parametrize("theta", [0.0, 0.4, 0.7, 1.0])
@pytest.mark.parametrize("grid", [(1, 1), (1, 9), (6, 2), (8, 11), (20, 20)])
def test_boxes_of_random_maps(grid, theta, exclusive_edge):
    generator = torch.Generator().manual_seed(sum(grid))
    cam = torch.rand(6, 3, *grid, generator=generator)
    cam[2:4] = cam[2:4] ** 6  # few strong patches
    cam[4] = (cam[4] > 0.5).float()
    cam[5, 0], cam[5, 1] = 0, 0.37  # constant maps
    check_boxes(cam, theta, exclusive_edge)


def test_threshold_at_every_level_of_the_maximum():
    """`int(theta * max)` must round as Python does for each of the 256 levels."""
    ramp = torch.arange(256.0)
    cam = (torch.minimum(ramp[:, None], ramp) + 0.5).view(256, 1, 1, 256) / 255
    cam = cam.clamp(max=1.0)
    order = torch.randperm(256, generator=torch.Generator().manual_seed(0))
    for theta in (0.4, 0.7, 0.3, 0.55):
        check_boxes(cam[..., order], theta, False)


def test_exclusive_edge_only_clears_the_last_row_and_column():
    """Quirk: exactly the last row and column are lost, nothing else changes."""
    cam = torch.rand(20, 2, 6, 9, generator=torch.Generator().manual_seed(0))
    inclusive = box_mask(cam, 0.7, exclusive_edge=False)
    exclusive = box_mask(cam, 0.7, exclusive_edge=True)
    assert inclusive[..., -1, :].any()
    assert inclusive[..., -1].any()
    inclusive[..., -1, :] = inclusive[..., -1] = False
    assert torch.equal(inclusive, exclusive)


def test_propagate_against_literal():
    generator = torch.Generator().manual_seed(0)
    cam, grid = torch.rand(2, 3, 4, 5, generator=generator), (4, 5)
    transition = torch.rand(2, 20, 20, generator=generator)
    mask = box_mask(cam**4, 0.4, exclusive_edge=True)
    mask[0, 1] = False
    ours = propagate(cam, transition, mask)
    for i in range(2):
        for k in range(3):
            expected = literal_sinkhorn.propagate(
                cam[i, k].double().numpy(), transition[i].double().numpy(), mask[i, k].numpy()
            )
            torch.testing.assert_close(ours[i, k].double(), torch.tensor(expected))
    assert ours.shape == (2, 3, *grid)
    assert (ours[0, 1] == 0).all()


def test_bf16_does_not_crash():
    attention = patch_attention(list(random_attention(4, 2, 12).bfloat16()), 3)
    affinity = refined_affinity(attention, random_feature_affinity(2, 12), signed=False)
    transition = sinkhorn_transition(affinity, 3)
    cam = torch.rand(2, 2, 3, 4).bfloat16()
    out = propagate(cam, transition, box_mask(cam, 0.4, exclusive_edge=False))
    assert out.isfinite().all()
