import importlib.util
import subprocess
import sys

import numpy as np
import pytest

from weclip.labels import dense_crf as room
from weclip.labels.dense_crf import dense_crf, require_memory
from weclip.system.errors import InputError, RunError

INSTALLED = importlib.util.find_spec("pydensecrf") is not None
needs_crf = pytest.mark.skipif(not INSTALLED, reason='pip install "weclip[crf]" to run')

MEASURE = """
import re
from pathlib import Path
import numpy as np
from weclip.labels.dense_crf import dense_crf, load_solver

def peak():
    text = Path("/proc/self/status").read_text()
    return 1024 * int(re.search("VmHWM: *([0-9]+)", text.replace(chr(9), " "))[1])

load_solver()
probabilities = np.full(({classes}, *{size}), 1 / {classes}, np.float32)
before = peak()
dense_crf(np.zeros((*{size}, 3), np.uint8), probabilities, iterations=1)
print(peak() - before)
"""


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


@needs_crf
def test_arrays_that_may_not_be_written_to():
    """As those of Pillow are; what is given stays as it is."""
    image, probabilities = two_halves(noise=0.1)
    expected, given = dense_crf(image, probabilities), probabilities.copy()
    image.flags.writeable = probabilities.flags.writeable = False
    assert np.array_equal(dense_crf(image, probabilities), expected)
    assert np.array_equal(probabilities, given)


def test_what_is_too_large_for_memory_is_said(monkeypatch):
    monkeypatch.setattr(room, "free_memory", lambda: 10**9)
    require_memory(21, (1000, 1500))
    with pytest.raises(RunError) as caught:
        require_memory(81, (6000, 9000))
    assert str(caught.value) == (
        "out of memory: an image of 9000 x 6000 pixels with 81 classes takes 100 GB or more in "
        "the dense CRF, and 1.0 GB are free; go without the CRF, or scale large images down"
    )
    monkeypatch.setattr(room, "free_memory", lambda: None)
    require_memory(81, (6000, 9000))


@needs_crf
@pytest.mark.skipif(sys.platform != "linux", reason="Linux only")
@pytest.mark.parametrize("classes", [2, 9])
def test_the_solver_takes_as_much_as_is_said(classes):
    """At least, of an image of one colour; and not ten times as much."""
    size = (700, 900)
    code = MEASURE.format(classes=classes, size=size)
    taken = int(subprocess.check_output([sys.executable, "-c", code]))
    said = size[0] * size[1] * (room.PIXEL + room.OF_CLASS * classes)
    assert 0.9 * said < taken < 2 * said
