"""A model that reads regions sees those of what it is shown: scaled, mirrored, a tile."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weclip.inference.large.tiles import Tiling
from weclip.inference.prediction import WithRegions, prepared_size
from weclip.inference.predictor import Predictor
from weclip.inference.stream.predicted import predict_stream
from weclip.labels.regions.given import at_size
from weclip.labels.regions.regions import Regions

CLASSES = 4


class ByRegions(nn.Module):
    """The class of a pixel is the number of its region; the image is not looked at."""

    stride = 1

    def forward(self, image: Tensor, regions: tuple[Regions, ...] | None = None) -> Tensor:
        assert regions is not None
        size = (image.shape[2], image.shape[3])
        ids = np.stack([at_size(each, size).id_map for each in regions])
        assert len(ids) == len(image)
        return F.one_hot(torch.from_numpy(ids).long(), CLASSES).permute(0, 3, 1, 2).float()


def blocks(size: tuple[int, int]) -> Regions:
    """Numbers of blocks of 40 pixels, not alike from left to right."""
    rows, columns = (np.arange(side) // 40 for side in size)
    return Regions(((2 * rows[:, None] + columns) % CLASSES).astype(np.int32))


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"flip": True},
        {"scales": (1.0, 0.5, 2.0), "flip": True},
        {"long_side": 100},
        {"tiling": Tiling(64), "flip": True},
        {"tiling": Tiling(50, 0.5), "scales": (1.0, 2.0)},
    ],
)
def test_regions_change_as_the_image_does(how: dict):
    size = (120, 200)
    given = {"long_side": None, "scales": (1.0,), "flip": False, **how}
    predictor = Predictor(ByRegions(), **given)
    image, regions = np.zeros((*size, 3), np.uint8), blocks(size)
    assert (predictor(image, regions) == regions.id_map).mean() > 0.99
    stream = predict_stream(predictor, [("a", image)], regions=lambda key, pixels: regions)
    assert np.array_equal(next(stream)[1], predictor(image, regions))


def test_an_image_with_regions_goes_alone():
    image = np.zeros((1, 3, 40, 40), np.float32)
    assert prepared_size(image) == (40, 40)
    assert prepared_size(WithRegions(image, blocks((40, 40)))) is None
