"""Labels of training read the regions that come with a batch, or make their own."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.methods.tiny_weclip import (
    make_batch,
    plus_config,
    tiny_config,
    tiny_weclip,
    tiny_weclip_plus,
)

from weclip.labels.regions.of_batch import region_maps
from weclip.labels.regions.regions import Regions
from weclip.system.errors import InputError

pytest.importorskip("skimage", reason="needs the extra 'regions'")
METHODS = {"weclip": (tiny_config, tiny_weclip), "weclip_plus": (plus_config, tiny_weclip_plus)}


def reading_regions(name: str, files: str | None):
    """A method whose maps read regions; the same weights every time."""
    make_config, make = METHODS[name]
    config = make_config()
    config.cam.source, config.affinity.source = "region_attention", "none"
    config.method.weclip_plus.refine_from = -1
    config.regions.superpixels.count, config.regions.files = 6, files
    return make(config, dropout=0.0)


@pytest.mark.parametrize("name", [*METHODS])
def test_a_step_with_regions_of_files(name):
    source, files = reading_regions(name, None), reading_regions(name, "folder")
    batch = make_batch()
    with pytest.raises(InputError, match="regions in files go by the names of images"):
        files.training_step(batch, 3)
    made = region_maps(source.maps.regions, batch.image, None)
    found = files.training_step(replace(batch, regions=made), 3)
    expected = source.training_step(batch, 3)
    assert torch.equal(found.loss, expected.loss)
    assert torch.equal(found.target, expected.target)
    halves = torch.ones_like(made)
    halves[:, :, 24:] = 2
    other = files.training_step(replace(batch, regions=halves), 3)
    assert not torch.equal(other.cam, found.cam)


@pytest.mark.parametrize("name", [*METHODS])
def test_labels_for_scores_with_regions_of_files(name):
    source, files = reading_regions(name, None), reading_regions(name, "folder")
    image, use = make_batch().image[:1].float(), {"size": (20, 30), "step": 3}
    ids = region_maps(source.maps.regions, image, None)[0].numpy().astype(np.int32)
    twice = Regions(ids.repeat(2, 0).repeat(2, 1))  # of an image of twice the size
    found = files.label_maps(image, (0, 2), **use, regions=twice)
    expected = source.label_maps(image, (0, 2), **use)
    for kind, label_map in expected.label_map.items():
        assert torch.equal(found.label_map[kind], label_map)
