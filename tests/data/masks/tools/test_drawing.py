"""Regions of other tools, against slow decoders and by hand."""

import numpy as np
import pytest
from tests.exports.decoders import fill

from weclip.data.masks.outlines import outlines
from weclip.data.masks.tools.drawing import brush_runs, cvat_runs, polygon
from weclip.exports.label_studio import brush_code


@pytest.mark.parametrize("seed", range(5))
def test_polygons_are_filled_at_the_centres(seed):
    corners = np.random.default_rng(seed).uniform(-5, 25, (7, 2))
    np.testing.assert_array_equal(polygon(corners, (20, 17)), fill(corners, (20, 17)))


def test_outlines_and_brush_codes_give_their_region_again():
    rng = np.random.default_rng(0)
    for _ in range(20):
        region = rng.random(rng.integers(1, 15, 2)) < rng.choice([0.3, 0.9])
        drawn = [polygon(each, region.shape) for each in outlines(region)]
        np.testing.assert_array_equal(np.logical_or.reduce([region & False, *drawn]), region)
        np.testing.assert_array_equal(brush_runs(brush_code(region), region.shape), region)


def test_values_of_a_brush_that_are_no_run():
    """Two pixels: a run of seven zeros, and one value by itself."""
    header = f"{8:032b}" + f"{7:05b}" + "".join(f"{size - 1:04b}" for size in (3, 4, 8, 16))
    bits = header + "1" + "00" + "110" + f"{0:08b}" + "0" + "00" + "000" + f"{200:08b}"
    bits += "0" * (-len(bits) % 8)
    code = [int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)]
    assert brush_runs(code, (1, 2)).tolist() == [[False, True]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: brush_runs(brush_code(np.ones((2, 2), bool)), (3, 3)), "of 4 pixels"),
        (lambda: brush_runs(brush_code(np.ones((2, 2), bool))[:-2], (2, 2)), "ends early"),
        (lambda: brush_runs([300], (1, 1)), "no list of bytes"),
        (lambda: cvat_runs("1,2", (0, 0, 2, 2), (2, 2)), "do not fill 4"),
        (lambda: cvat_runs("-1,5", (0, 0, 2, 2), (2, 2)), "do not fill 4"),
        (lambda: cvat_runs("0,4", (1, 0, 2, 2), (2, 2)), "beyond the image"),
        (lambda: polygon([(0, 0), (float("nan"), 2)], (2, 2)), "far outside"),
    ],
)
def test_what_is_not_whole_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
