"""CorrCLIP's features equal those of a full second pass, and stand what images bring."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from tests.literal import region_attention as literal
from tests.methods.tiny_weclip import PATCH, clip_state

from weclip.backbones.clip.image_encoder import build_image_encoder
from weclip.backbones.clip.region_tokens import block_inputs
from weclip.backbones.positions import bicubic, bicubic_by_count
from weclip.labels.region_attention.embedding import RegionAttentionSettings, region_embedding
from weclip.labels.region_attention.ids import PADDING

BLOCKS, WIDTH, HEADS = 6, 128, 2
AS_RELEASED = RegionAttentionSettings(
    temperature=4.0,
    spatial_weight=1.0,
    semantic_weight=0.5,
    merge_regions=True,
    merge_distance=0.2,
    least_id_is_none=True,
)


@pytest.fixture(scope="module")
def clip():
    state = clip_state(width=WIDTH, blocks=BLOCKS)
    return build_image_encoder(state), {name: value.double() for name, value in state.items()}


def an_image(height=40, width=56, seed=1):
    return torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


def a_guide(fine_grid, ids=None, seed=2, count=8):
    """Rows near one of three directions, by region if there are regions; so some are alike."""
    generator = torch.Generator().manual_seed(seed)
    kinds = torch.randn(3, count, generator=generator)
    rows = torch.randint(3, fine_grid, generator=generator)
    if ids is not None:
        rows = F.interpolate(ids[None, None].double(), fine_grid)[0, 0].long() % 3
    noise = torch.randn(rows.numel(), count, generator=generator)
    return kinds[rows.flatten()] + 0.5 * noise


def some_ids(height=40, width=56, regions=7, *, lowest=0, seed=3):
    """Blocks of ids."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randint(lowest, regions, (4, 5), generator=generator)
    return F.interpolate(coarse[None, None].double(), (height, width))[0, 0].long()


def made_by(clip, image, guide, fine_grid, ids, settings=AS_RELEASED, resize=bicubic):
    entering, grid = block_inputs(clip[0], image, resize)
    return region_embedding(clip[0], entering, grid, guide, fine_grid, ids, settings)


CASES = {
    "as released": ({}, (9, 13), 0),
    "no region is there": ({"least_id_is_none": False}, (9, 13), 0),
    "all are in regions": ({"least_id_is_none": False}, (9, 13), 1),
    "the least loses its rights": ({}, (9, 13), 1),
    "without merging": ({"merge_regions": False}, (10, 14), 0),
    "all merge": ({"merge_distance": 2.0}, (9, 13), 0),
    "weights": ({"spatial_weight": 0.3, "semantic_weight": 2.0, "temperature": 1.5}, (9, 13), 0),
    "a grid coarser than clip's": ({}, (3, 4), 0),
}


@pytest.mark.parametrize("name", CASES)
def test_all_is_as_in_a_second_pass(name, clip):
    changes, fine_grid, lowest = CASES[name]
    settings = replace(AS_RELEASED, **changes)
    image, ids = an_image(), some_ids(lowest=lowest)
    guide = a_guide(fine_grid, ids)
    found = made_by(clip, image, guide, fine_grid, ids, settings)
    expected = literal.region_embedding(
        clip[1],
        image[0].double(),
        guide.double(),
        fine_grid,
        ids.tolist(),
        heads=HEADS,
        settings=settings,
        by_count=False,
    )
    assert found.ids.tolist() == expected["ids"]
    assert found.coarse_ids.tolist() == expected["coarse_ids"]
    assert torch.equal(found.scope, expected["scope"])
    for key in ("attention", "branches", "features"):
        torch.testing.assert_close(
            getattr(found, key).double(), expected[key], rtol=1e-4, atol=1e-4
        )


def test_the_cases_differ(clip):
    """Each switch and each number shows in the features."""
    grid, ids = (9, 13), some_ids(lowest=1)
    given = (clip, an_image(), a_guide(grid, ids), grid, ids)
    base = made_by(*given).features
    for changes in (
        {"merge_regions": False},
        {"merge_distance": 2.0},
        {"least_id_is_none": False},
        {"temperature": 1.0},
        {"spatial_weight": 0.0},
        {"semantic_weight": 0.0},
    ):
        other = made_by(*given, replace(AS_RELEASED, **changes)).features
        assert not torch.allclose(base, other, atol=1e-3), changes


@pytest.mark.parametrize(("height", "width", "same"), [(16, 64, False), (32, 32, True)])
def test_positions_by_count(height, width, same, clip):
    """A grid of 2 x 8 has as many patches as 4 x 4, and takes their positions in their order."""
    image, grid = an_image(height, width), (5, 5)
    ids = some_ids(height, width)
    plain, counted = (
        made_by(clip, image, a_guide(grid), grid, ids, resize=resize)
        for resize in (bicubic, bicubic_by_count)
    )
    assert (height // PATCH) * (width // PATCH) == 16
    assert torch.allclose(plain.features, counted.features, atol=1e-4) == same
    expected = literal.region_embedding(
        clip[1],
        image[0].double(),
        a_guide(grid).double(),
        grid,
        ids.tolist(),
        heads=HEADS,
        settings=AS_RELEASED,
        by_count=True,
    )
    torch.testing.assert_close(
        counted.features.double(), expected["features"], rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("least", [True, False])
def test_one_region_alone(least, clip):
    """With all ids 0, or all 5: either patches see all that are alike, or all."""
    grid, use = (6, 7), replace(AS_RELEASED, least_id_is_none=least)
    guide = a_guide(grid)
    nothing = made_by(clip, an_image(), guide, grid, torch.zeros(40, 56, dtype=torch.int64), use)
    unit = F.normalize(guide, dim=1)
    assert torch.equal(nothing.scope, unit @ unit.T > (unit @ unit.T).mean())
    one = made_by(clip, an_image(), guide, grid, torch.full((40, 56), 5), use)
    assert torch.equal(one.scope, nothing.scope if least else torch.ones_like(one.scope))
    semantic = nothing.branches[2]
    assert torch.equal(semantic, semantic[:1].expand_as(semantic))  # one token sees all


def test_equal_guide_features_see_all(clip):
    """The released code has NaN there."""
    grid = (4, 4)
    guide = torch.zeros(16, 8)
    guide[:, 0] = 1.0
    ids = torch.zeros(40, 56, dtype=torch.int64)
    found = made_by(clip, an_image(), guide, grid, ids)
    assert not found.scope.any()
    torch.testing.assert_close(found.attention, torch.full((16, 16), 1 / 16))
    assert found.features.isfinite().all()


def test_regions_that_clips_grid_misses(clip):
    """A region of one pixel has patches on neither grid, or on the fine one alone."""
    grid = (20, 28)
    ids = torch.ones(40, 56, dtype=torch.int64)
    ids[2, 2] = 9  # on the fine grid, whose patches begin at every second pixel; CLIP's at 0, 8...
    ids[39, 55] = 8  # on none
    found = made_by(
        clip, an_image(), a_guide(grid), grid, ids, replace(AS_RELEASED, merge_regions=False)
    )
    assert found.ids.unique().tolist() == [1, 9]
    assert found.coarse_ids.unique().tolist() == [1]
    assert found.features.isfinite().all()
    lonely = found.scope[found.ids.flatten() == 9]
    assert lonely.sum() >= 1


def test_ids_above_those_of_merging(clip):
    """What is in no region keeps an id that no merged region has."""
    grid, guide = (9, 13), a_guide((9, 13), some_ids())
    low = made_by(clip, an_image(), guide, grid, some_ids())
    assert len(low.ids.unique()) > 2
    found = made_by(clip, an_image(), guide, grid, some_ids() + PADDING + 1)
    assert torch.equal(found.scope, low.scope)
    torch.testing.assert_close(found.features, low.features)
