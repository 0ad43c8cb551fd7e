"""CorrCLIP's features as a map source: of the view's own tokens, guide and regions."""

import numpy as np
import pytest
import torch
from tests.methods.tiny_weclip import make_batch, tiny_config, tiny_weclip

from weclip.labels.region_attention.embedding import region_embedding
from weclip.labels.regions.of_batch import seen_regions
from weclip.system.errors import InputError


@pytest.fixture
def method():
    config = tiny_config()
    config.cam.source, config.affinity.source = "region_attention", "none"
    return tiny_weclip(config, dropout=0.0)


def test_maps_are_shares_of_the_embedding_inside_regions(method):
    maps, batch = method.maps, make_batch()
    view = maps.see(batch.image)
    view.regions = 1 + torch.arange(48).expand(3, 32, -1) // 16  # three upright bands
    embedding = maps.source.embedded(view).rows
    entering = view.entering
    for index in range(3):
        alone = region_embedding(
            maps.image_encoder,
            [each[index : index + 1] for each in entering],
            view.patch_grid,
            view.guide.features[index],
            view.guide.patch_grid,
            view.regions[index],
            maps.source.settings,
        )
        torch.testing.assert_close(embedding[index], alone.unit(), rtol=1e-4, atol=1e-5)
    bands = (view.regions[0, 0, :].view(6, 8)[:, 0]).repeat(4)  # of the guide's 4 x 6 patches
    assert torch.equal(alone.scope, bands[:, None] == bands)


def test_regions_that_are_known_are_read_and_others_are_cut(method):
    maps, batch = method.maps, make_batch()
    cut = maps.see(batch.image).regions
    assert cut.shape == (3, 32, 48)
    assert cut.min() == 1
    known = maps.see(batch.image)
    known.regions = torch.zeros_like(cut)
    assert torch.equal(known.of_image(1).regions, known.regions[1:2])
    assert not torch.equal(
        maps.source.embedded(known).rows, maps.source.embedded(maps.see(batch.image)).rows
    )


def test_regions_of_a_file_are_resized_without_new_numbers():
    ids = np.array([[0, 70_000], [2**31 - 1, 3]], np.int32)
    seen = seen_regions(ids, (3, 5), torch.device("cpu"))
    assert seen.shape == (1, 3, 5)
    assert seen.unique().tolist() == [0, 3, 70_000, 2**31 - 1]


def test_a_foreign_grid_is_refused():
    config = tiny_config()
    config.cam.source = "region_attention"
    with pytest.raises(
        InputError, match=r"patches of 7 pixels.*CLIP's of 8; add affinity.source=none"
    ):
        tiny_weclip(config)
