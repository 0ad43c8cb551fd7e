"""Region sources without weights: on a picture of two halves and a square."""

from dataclasses import fields

import numpy as np
import pytest
import torch
from tests.configs import new_config

from weclip import parts
from weclip.backbones.guide import Guide
from weclip.labels.regions.regions import described
from weclip.labels.regions.seen import cut_smaller
from weclip.labels.regions.sources.graph import Graph
from weclip.labels.regions.sources.merged import Merged
from weclip.labels.regions.sources.superpixels import Superpixels

pytest.importorskip("skimage", reason="needs the extra 'regions'")

NAMES = [name for kind, name in parts.shipped() if kind == parts.REGION_SOURCE.name]


def picture(size=(40, 60)):
    """Blue at the left, green at the right, a red square on the border."""
    height, width = size
    image = np.zeros((*size, 3), np.uint8)
    image[:, : width // 2], image[:, width // 2 :] = (20, 40, 200), (30, 180, 60)
    image[height // 4 : height // 2, width // 3 : width * 2 // 3] = (220, 30, 30)
    return image


def guide(image):
    """Features that tell top from bottom, whatever the colours are."""
    grid = torch.zeros(4, 5, 2)
    grid[:2, :, 0], grid[2:, :, 1] = 1, 1
    return Guide(grid.view(1, 20, 2), (4, 5))


SOURCES = [Superpixels(count=30), Graph(), Merged()]


@pytest.mark.parametrize("source", SOURCES, ids=lambda s: type(s).__name__)
def test_regions_hold_one_colour_each_and_are_the_same_again(source):
    image = picture()
    regions = source(image, guide)
    assert regions.proposals is None
    assert regions.id_map.shape == image.shape[:2]
    assert regions.id_map.dtype == np.int32
    assert regions.id_map.min() >= 1
    for number in np.unique(regions.id_map):
        inside = image[regions.id_map == number].astype(int)
        assert (np.abs(inside - np.median(inside, axis=0)).max(axis=1) > 9).mean() < 0.35
    assert (source(image, guide).id_map == regions.id_map).all()


def test_colours_alone_give_the_three_parts():
    assert len(np.unique(Graph(sigma=0.0)(picture(), None).id_map)) == 3


def test_the_guide_parts_what_colours_do_not():
    """Stripes of one colour each: without their colours, merging goes by top and bottom."""
    image = np.zeros((40, 60, 3), np.uint8)
    image[:10], image[10:20], image[20:30], image[30:] = 50, 90, 50, 90
    source = Merged(sigma=0.0, colour_weight=0.0, limit=0.05)
    ids = source(image, guide).id_map
    assert len(np.unique(ids)) == 2
    assert (ids[:20] == 1).all()
    assert (ids[20:] == 2).all()


def test_large_images_are_seen_smaller():
    seen = []

    def cut(image):
        seen.append(image.shape)
        return np.arange(image.shape[0] * image.shape[1], dtype=np.int32).reshape(image.shape[:2])

    ids = cut_smaller(np.zeros((40, 100, 3), np.uint8), 50, cut)
    assert seen == [(20, 50, 3)]
    assert ids.shape == (40, 100)
    assert ids[:2, :2].tolist() == [[0, 0], [0, 0]]
    assert ids[-1, -1] == 999


@pytest.mark.parametrize("size", [(1, 1), (1, 70), (3, 2)])
@pytest.mark.parametrize("source", SOURCES, ids=lambda s: type(s).__name__)
def test_tiny_images_have_regions(source, size):
    assert source(picture((8, 12))[: size[0], : size[1]].repeat(9, axis=1)[:, : size[1]], guide)


@pytest.mark.parametrize("name", NAMES)
def test_every_source_describes_itself(name):
    source = new_config().part(parts.REGION_SOURCE, name)
    record = described(name, source)
    assert record["source"] == name
    assert record["saw_human_masks"] is (name == "sam2")
    assert record["settings"].keys() <= {each.name for each in fields(source)}
    assert "weights" not in record["settings"]
