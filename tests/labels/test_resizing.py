"""Any window of resized maps is that window of all of them."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from weclip.data.windows import widened, windows
from weclip.labels.resizing import planes, resized

SMALL = [(1, 1), (3, 5), (32, 24), (33, 41), (100, 7)]
LARGE = [(1, 1), (7, 5), (150, 97), (51, 200), (20, 13)]


def put_together(maps, size, most, **how):
    result = torch.full((*maps.shape[:-2], *size), torch.nan)
    for window in windows(size, len(maps), most):
        result[..., window[0], window[1]] = resized(maps, size, window, **how)
    return result


@pytest.mark.parametrize("given", SMALL)
@pytest.mark.parametrize("size", LARGE)
@pytest.mark.parametrize("align_corners", [False, True])
def test_windows_are_those_of_the_whole(given, size, align_corners):
    maps = torch.randn(4, *given, generator=torch.Generator().manual_seed(0))
    whole = F.interpolate(maps[None], size, mode="bilinear", align_corners=align_corners)[0]
    for most in (1, 300, 3000, 2**23):
        ours = put_together(maps, size, most, align_corners=align_corners)
        torch.testing.assert_close(ours, whole, rtol=1e-5, atol=3e-5)


def test_far_from_the_corner():
    maps = torch.randn(2, 30, 20, generator=torch.Generator().manual_seed(0))
    whole = F.interpolate(maps[None], (3, 90_001), mode="bilinear")[0]
    ours = resized(maps, (3, 90_001), (slice(1, 3), slice(80_000, 90_001)))
    torch.testing.assert_close(ours, whole[:, 1:, 80_000:], rtol=1e-5, atol=3e-5)


def test_bytes_are_resized_in_float():
    image = np.random.default_rng(0).integers(0, 256, (40, 31, 3), dtype=np.uint8)
    whole = F.interpolate(planes(image)[None].float(), (13, 50), mode="bilinear")[0]
    torch.testing.assert_close(put_together(planes(image), (13, 50), 100), whole)
    image.setflags(write=False)
    torch.testing.assert_close(put_together(planes(image), (13, 50), 100), whole)


def test_autocast_changes_nothing():
    maps = torch.randn(3, 4, 4)
    with torch.autocast("cpu", torch.bfloat16):
        ours = put_together(maps, (64, 64), 2**23)
    torch.testing.assert_close(ours, F.interpolate(maps[None], (64, 64), mode="bilinear")[0])


@pytest.mark.parametrize("size", [(1, 1), (7, 9), (1, 5000), (5000, 1), (100, 300)])
@pytest.mark.parametrize("depth", [1, 81, 10_000])
def test_windows_cover_an_image_once_and_are_bounded(size, depth):
    seen, most = np.zeros(size, int), 4000
    for window in windows(size, depth, most):
        seen[window] += 1
        assert seen[window].size <= max(most // depth, 16)
    assert (seen == 1).all()


def test_a_widened_window_stops_at_the_border():
    wide, inner = widened((slice(2, 5), slice(90, 100)), 4, (50, 100))
    assert wide == (slice(0, 9), slice(86, 100))
    assert inner == (slice(2, 5), slice(4, 14))
