"""Regions that are given of an image's own pixels, as the image is seen."""

import numpy as np
import pytest
import torch

from weclip.labels.regions.given import OnlyFiles, at_size, mirrored, part_of, whole_image
from weclip.labels.regions.of_batch import seen_regions
from weclip.labels.regions.regions import Proposals, Regions
from weclip.system.errors import InputError


def drawn(size: tuple[int, int] = (7, 9)) -> Regions:
    """Random ids, and the masks of three of them."""
    ids = np.random.default_rng(0).integers(0, 4, size).astype(np.int32)
    masks = np.stack([ids == number for number in (1, 2, 3)])
    return Regions(ids, Proposals(masks, np.array([0.9, 0.8, 0.7], np.float32)))


def require_same_masks(regions: Regions) -> None:
    assert regions.proposals is not None
    for number, mask in enumerate(regions.proposals.masks, 1):
        assert np.array_equal(mask, regions.id_map == number)


@pytest.mark.parametrize("size", [(7, 9), (14, 18), (5, 4), (20, 3), (1, 1)])
def test_another_size_takes_the_pixels_that_labels_take(size: tuple[int, int]):
    found = at_size(drawn(), size)
    expected = seen_regions(drawn().id_map, size, torch.device("cpu"))[0]
    assert np.array_equal(found.id_map, expected.numpy())
    require_same_masks(found)


def test_a_window_and_a_mirror_image():
    regions = drawn()
    part = part_of(regions, (slice(2, 5), slice(1, 9)))
    assert np.array_equal(part.id_map, regions.id_map[2:5, 1:9])
    require_same_masks(part)
    turned = mirrored(regions)
    assert np.array_equal(turned.id_map, np.fliplr(regions.id_map))
    require_same_masks(turned)
    torch.from_numpy(turned.id_map)  # takes no negative strides


def test_id_maps_have_no_masks():
    assert at_size(Regions(drawn().id_map), (3, 3)).proposals is None
    assert np.array_equal(whole_image((2, 3)).id_map, np.ones((2, 3)))


def test_files_cut_nothing():
    with pytest.raises(InputError, match=r"go by the names of images, .* regions.files=null"):
        OnlyFiles()(np.zeros((4, 4, 3), np.uint8), None)
