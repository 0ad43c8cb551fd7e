"""Class distributions of another embedding than that of their own blocks; see `test_tag_maps`."""

import torch
import torch.nn.functional as F
from tests.methods.tiny_weclip import make_batch, tiny_config, tiny_weclip

from weclip.labels.affinity.class_distribution import jensen_shannon_similarity


def method_with(embedding):
    config = tiny_config()
    config.cam.embedding, config.affinity.source = embedding, "class_distribution"
    config.affinity.class_distribution.temperature = 0.05
    config.method.weclip.refine_from = -1
    return tiny_weclip(config, dropout=0.0)


def test_distributions_of_region_attention_are_brought_to_the_patches_of_clip():
    maps, batch = method_with("region_attention").maps, make_batch(size=(48, 64))
    view = maps.see(batch.image)
    fine = maps.embedder.embedded(view)
    assert fine.patch_grid == (6, 9)
    planes = fine.rows.transpose(1, 2).unflatten(2, (6, 9))
    coarse = F.interpolate(planes, (6, 8), mode="bilinear").flatten(2).transpose(1, 2)
    expected = jensen_shannon_similarity(view.probabilities(F.normalize(coarse, dim=-1)))
    expected = (expected / 0.05).softmax(dim=-1) * view.attention(8).mean(dim=0)
    found = maps.spread(torch.rand(3, 2, 6, 8), view, None).affinity
    torch.testing.assert_close(found, expected / expected.sum(dim=-1, keepdim=True))


def test_own_embedding_is_that_of_the_blocks():
    batch, cam = make_batch(), torch.rand(3, 2, 4, 6)
    for given in (None, "text_probability"):
        maps = method_with(given).maps
        view = maps.see(batch.image)
        assert torch.equal(view.embedding_on_patches(5), view.patch_embedding(5))
    other = method_with("region_attention").maps
    ours, theirs = (each.spread(cam, each.see(batch.image), None).cam for each in (maps, other))
    assert not torch.allclose(ours, theirs, atol=1e-3)
