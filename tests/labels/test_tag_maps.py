"""Map and affinity sources against their literal forms, and as parts of the methods."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tests.literal import class_distribution as literal
from tests.literal.patch_text import patch_text
from tests.methods.tiny_weclip import make_batch, tiny_config, tiny_weclip

from weclip.backbones.clip.text_features import text_probabilities
from weclip.labels.affinity.class_distribution import (
    class_distribution_affinity,
    jensen_shannon_similarity,
)
from weclip.labels.maps.patch_text import over_tokens, patch_text_cam
from weclip.labels.tag_slots import pack_tags
from weclip.parts import AFFINITY, MAP_SOURCE

TAGS = torch.tensor([[True, False, True, False], [False, True, False, False]])
GRID = (2, 3)


@pytest.fixture
def rows():
    """Unit rows of two images (2, 1+6, 8) and of six texts (6, 8), the last two background."""
    generator = torch.Generator().manual_seed(0)
    draw = (torch.randn(*shape, generator=generator) for shape in ((2, 7, 8), (6, 8)))
    return tuple(F.normalize(each, dim=-1) for each in draw)


@pytest.mark.parametrize("released", [False, True], ids=["patches", "with class token"])
def test_patch_text_maps(rows, released):
    embedding, texts = rows
    embedding = torch.cat([3 * embedding[:, :1], embedding[:, 1:]], dim=1)  # at an end of the range
    slots = pack_tags(TAGS)
    how = {"texts": texts, "patch_grid": GRID, "class_token_in_range": released}
    maps = patch_text_cam(embedding, slots, **how)
    assert maps.shape == (2, 2, *GRID)
    for image, tags in enumerate(([0, 2], [1])):
        wide = embedding[image].double().numpy(), texts.double().numpy()
        expected = patch_text(*wide, tags, with_class_token=released)
        np.testing.assert_allclose(maps[image, : len(tags)].flatten(1), expected, atol=1e-5)
    assert not maps[1, 1].any()  # an empty slot
    other = patch_text_cam(embedding, slots, **how | {"class_token_in_range": not released})
    assert not torch.allclose(maps, other, atol=1e-3)


def test_a_patch_text_map_of_one_value_is_finite(rows):
    embedding = rows[0][:, :1].expand(-1, 7, -1)
    maps = patch_text_cam(embedding, pack_tags(TAGS), texts=rows[1], patch_grid=GRID)
    assert ((maps >= 0) & (maps <= 1)).all()


def test_channels_are_made_unit_over_tokens_where_released(rows):
    unit = over_tokens(rows[0])
    torch.testing.assert_close(unit.norm(dim=1), torch.ones(2, 8))


def test_class_distribution(rows):
    embedding, texts = rows
    shares = text_probabilities(embedding[:, 1:], texts, 7.0)
    alike = jensen_shannon_similarity(shares)
    attention = torch.rand(2, 6, 6, generator=torch.Generator().manual_seed(1))
    ours = class_distribution_affinity(alike, attention, 0.1)
    for image in range(2):
        wide = embedding[image].double().numpy(), texts.double().numpy()
        expected = literal.distribution(*wide, 7.0)
        np.testing.assert_allclose(shares[image], expected, rtol=1e-4)
        expected = literal.similarity(expected)
        np.testing.assert_allclose(alike[image], expected, atol=1e-5)
        expected = literal.affinity(expected, attention[image].double().numpy(), 0.1)
        np.testing.assert_allclose(ours[image], expected, rtol=1e-4, atol=1e-6)


def test_similarity_of_certain_patches():
    """Nothing is NaN where shares are 0; 1 for the same class, 0 for different ones."""
    certain = torch.tensor([[[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]])
    alike = jensen_shannon_similarity(certain)[0]
    assert alike.tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 1]]


def test_a_large_temperature_leaves_the_attention(rows):
    alike = jensen_shannon_similarity(text_probabilities(rows[0][:, 1:], rows[1], 7.0))
    attention = torch.rand(2, 6, 6, generator=torch.Generator().manual_seed(1))
    ours = class_distribution_affinity(alike, attention, 1e6)
    torch.testing.assert_close(ours, attention / attention.sum(-1, keepdim=True))


@pytest.fixture(
    params=[
        (m, a)
        for m in MAP_SOURCE.file_names()
        for a in AFFINITY.file_names()
        if m != "region_attention" or a == "none"  # another grid
    ],
    ids="+".join,
)
def parts(request):
    config = tiny_config()
    config.cam.source, config.affinity.source = request.param
    return config


def test_every_source_trains(parts):
    """Each map source with each affinity makes a step; parts differ, empty slots stay empty."""
    method, batch = tiny_weclip(parts, dropout=0.0), make_batch()
    output = method.training_step(batch, step=0)
    assert output.loss.isfinite()
    assert output.cam.shape == output.detail.refined.cam.shape == (3, 2, 4, 6)
    assert output.cam.amin() >= 0
    assert output.cam.amax() <= 1
    if method.maps.shares:
        assert output.cam.sum(dim=1).max() <= 1 + 1e-6
    else:
        assert output.cam[0].flatten(1).amax(1).min() > 0.9
    assert not output.cam[1].any()
    other = tiny_config()
    other.cam.source = "gradcam" if parts.cam.source != "gradcam" else "patch_text"
    other.affinity.source = parts.affinity.source
    theirs = tiny_weclip(other, dropout=0.0).training_step(batch, step=0)
    assert not torch.allclose(output.cam[0], theirs.cam[0], atol=0.05)


def test_every_source_trains_in_bfloat16(parts):
    """Autocast reaches the encoder only: maps stay near those of float32."""
    method, batch = tiny_weclip(parts, dropout=0.0), make_batch()
    exact = method.training_step(batch, step=0)
    with torch.autocast("cpu", torch.bfloat16):
        output = method.training_step(batch, step=0)
    assert output.cam.dtype == output.detail.refined.cam.dtype == torch.float32
    assert (output.cam - exact.cam).abs().mean() < 0.05


@pytest.mark.parametrize("source", AFFINITY.file_names())
def test_the_transition_is_what_spreads(source):
    config = tiny_config()
    config.affinity.source, config.affinity.attention.box_threshold = source, 0.0
    config.affinity.attention.power = config.affinity.class_distribution.power = 3
    config.affinity.guide.power = 3
    config.cam.source = "patch_text"
    output = tiny_weclip(config).training_step(make_batch(), step=0)
    cam, refined = output.cam.flatten(2), output.detail.refined
    everywhere = (refined.transition @ cam.transpose(1, 2)).transpose(1, 2)
    torch.testing.assert_close(refined.cam.flatten(2)[0], everywhere[0], rtol=1e-4, atol=1e-5)
    one_step = refined.affinity
    if source in ("class_distribution", "guide"):
        torch.testing.assert_close(refined.transition, one_step @ one_step @ one_step)
    if source == "none":
        assert torch.equal(refined.cam, output.cam)


def test_the_refinement_module_takes_part_in_every_affinity():
    config = tiny_config()  # refine_from=0
    config.affinity.source = "class_distribution"
    refined = tiny_weclip(config).training_step(make_batch(), step=0).detail.refined.affinity
    config.method.weclip.refine_from = -1
    plain = tiny_weclip(config).training_step(make_batch(), step=0).detail.refined.affinity
    assert not torch.allclose(refined, plain, atol=1e-3)
