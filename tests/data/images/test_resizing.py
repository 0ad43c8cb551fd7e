"""NumPy's resizing is that of PyTorch, in any window."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from weclip.data.images.resizing import resized, softmax
from weclip.data.windows import whole, windows

SIZES = [(1, 1), (7, 5), (33, 41), (150, 97), (20, 13)]


@pytest.mark.parametrize("given", SIZES)
@pytest.mark.parametrize("size", SIZES)
def test_it_is_pytorchs(given, size):
    maps = np.random.default_rng(0).standard_normal((4, *given)).astype(np.float32)
    expected = F.interpolate(torch.from_numpy(maps)[None], size, mode="bilinear")[0].numpy()
    np.testing.assert_allclose(resized(maps, size, whole(size)), expected, atol=3e-5)
    for window in windows(size, 4, most=300):
        np.testing.assert_allclose(
            resized(maps, size, window), expected[:, window[0], window[1]], atol=3e-5
        )


@pytest.mark.parametrize("factor", [0.3, 0.75, 1.5, 2.0])
def test_a_factor_is_reckoned_with_as_it_is(factor):
    maps = np.random.default_rng(1).integers(0, 256, (1, 3, 37, 53), dtype=np.uint8)
    floats = torch.from_numpy(maps).float()
    expected = F.interpolate(floats, scale_factor=factor, mode="bilinear").numpy()
    size = expected.shape[2:]
    ours = resized(maps, size, whole(size), factor=factor)
    np.testing.assert_allclose(ours, expected, atol=2e-3)


def test_probabilities_sum_to_one_whatever_the_numbers():
    logits = np.float32([[[1e4, -1e4, 0.5]], [[0, 0, 0.25]]])
    expected = torch.from_numpy(logits).softmax(0).numpy()
    np.testing.assert_allclose(softmax(logits), expected, atol=1e-6)
