import importlib.util

import numpy as np
import pytest

from weclip.labels.dense_crf import dense_crf
from weclip.system.errors import InputError

INSTALLED = importlib.util.find_spec("pydensecrf") is not None
needs_crf = pytest.mark.skipif(not INSTALLED, reason='pip install "weclip[crf]" to run')


def two_halves(noise=0.0):
    """An image split into dark and bright, and probabilities that put the edge 4 pixels off."""
    image = np.full((32, 48, 3), 20, dtype=np.uint8)
    image[:, 24:] = 230
    bright = np.full((32, 48), 0.2, dtype=np.float32)
    bright[:, 20:] = 0.8
    bright += noise * np.random.default_rng(0).standard_normal(bright.shape).astype(np.float32)
    bright = bright.clip(0, 1)
    return image, np.stack([1 - bright, bright])


@pytest.mark.skipif(INSTALLED, reason="pydensecrf2 is installed")
def test_missing_solver_names_the_extra():
    with pytest.raises(InputError, match=r'pip install "weclip\[crf\]"'):
        dense_crf(*two_halves())


def test_sizes_must_agree():
    with pytest.raises(ValueError, match=r"does not fit probabilities .* expected \(4, 4, 3\)"):
        dense_crf(np.zeros((5, 4, 3), dtype=np.uint8), np.zeros((2, 4, 4), dtype=np.float32))


@needs_crf
def test_edge_moves_to_the_edge_of_the_image():
    image, probabilities = two_halves(noise=0.1)
    refined = dense_crf(image, probabilities)
    assert refined.shape == probabilities.shape
    assert refined.dtype == np.float32
    np.testing.assert_allclose(refined.sum(0), 1, atol=1e-4)
    truth = image[..., 0] > 100
    assert (probabilities.argmax(0) != truth).mean() > 0.08
    assert (refined.argmax(0) != truth).mean() < 0.005


@needs_crf
def test_without_weights_it_changes_nothing():
    image, probabilities = two_halves()
    refined = dense_crf(image, probabilities, gaussian_weight=0, bilateral_weight=0)
    np.testing.assert_allclose(refined, probabilities, atol=1e-5)


@needs_crf
def test_certain_pixels_stay_finite():
    image, probabilities = two_halves()
    assert np.isfinite(dense_crf(image, probabilities.round())).all()
