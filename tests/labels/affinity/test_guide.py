"""Affinity by a second encoder's features, compared with loops over patches."""

import pytest
import torch
from tests.methods.tiny_weclip import make_batch, tiny_config, tiny_weclip

from weclip.backbones.guide import Guide
from weclip.labels.affinity.guide import GuideAffinity, guide_similarity


def unit_rows(count=6, seed=0):
    rows = torch.randn(2, count, 4, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(rows, dim=-1)


def test_similarity_is_a_softmax_of_standardised_cosines():
    guide = unit_rows()
    for image, found in zip(guide, guide_similarity(guide, 1.5), strict=True):
        cosines = torch.tensor([[float(a @ b) for b in image] for a in image])
        spread = float(((cosines - cosines.mean()) ** 2).sum() / (cosines.numel() - 1)) ** 0.5
        for row, ours in zip(cosines, found, strict=True):
            weights = [2.718281828459045 ** (1.5 * float(c) / spread) for c in row]
            expected = torch.tensor([w / sum(weights) for w in weights])
            torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-6)


def test_equal_features_are_equally_alike():
    alike = guide_similarity(unit_rows(1).expand(-1, 5, -1), 4.0)
    torch.testing.assert_close(alike, torch.full((2, 5, 5), 0.2))


@pytest.fixture
def view():
    """Of a guide whose grid is another than CLIP's."""
    config = tiny_config()
    config.affinity.source = "guide"
    view = tiny_weclip(config).maps.see(make_batch().image)
    view.guide = Guide(torch.randn(3, 6, 8, generator=torch.Generator().manual_seed(1)), (2, 3))
    return view


def test_features_are_resized_to_the_patches_of_clip(view):
    found = view.guide_on_patches
    assert found.shape == (3, 24, 8)
    torch.testing.assert_close(found.norm(dim=-1), torch.ones(3, 24))
    unit = torch.nn.functional.normalize(view.guide.features[0], dim=-1)
    maps = unit.T.view(1, 8, 2, 3)
    fine = torch.nn.functional.interpolate(maps, (4, 6), mode="bilinear")[0].flatten(1).T
    expected = torch.nn.functional.normalize(fine, dim=-1)
    torch.testing.assert_close(found[0], expected)


def test_rows_sum_to_1_alone_and_with_attention_and_a_decoder(view):
    cam, learnt = torch.rand(3, 2, 4, 6), torch.rand(3, 24, 24)
    made = [
        GuideAffinity(attention=attention)(cam, view, decoder).affinity
        for attention in (False, True)
        for decoder in (None, learnt)
    ]
    for affinity in made:
        torch.testing.assert_close(affinity.sum(-1), torch.ones(3, 24))
    for index, one in enumerate(made):
        assert all(not torch.allclose(one, other) for other in made[index + 1 :])


def test_with_attention_is_their_product(view):
    cam = torch.rand(3, 2, 4, 6)
    part = GuideAffinity(layers=2)
    product = guide_similarity(view.guide_on_patches, part.sharpness) * view.attention(2).mean(0)
    expected = product / product.sum(-1, keepdim=True)
    torch.testing.assert_close(part(cam, view, None).affinity, expected)
