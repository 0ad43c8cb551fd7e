"""The GPU kernels of PAR: on a GPU, or by Triton's interpreter where TRITON_INTERPRET=1 is set."""

import importlib.util
import os

import pytest
import torch
from tests.labels.test_par import random_pair, settings

from weclip.labels.pixel_refine import portable

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = "cpu" if INTERPRETED else "cuda"

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not importlib.util.find_spec("triton"), reason="Triton is not installed"),
    pytest.mark.skipif(
        not INTERPRETED and not torch.cuda.is_available(),
        reason="no CUDA device; TRITON_INTERPRET=1 runs the kernels on a CPU, slowly",
    ),
]


@pytest.mark.parametrize("size", [(20, 31), (5, 70), (16, 16)])
@pytest.mark.parametrize("count", [1, 3, 4])
def test_kernels_agree_with_plain_operations(size, count):
    from weclip.labels.pixel_refine import triton_kernels

    maps, image = random_pair(2, count, size)
    image[1, :, :3] = 90  # flat
    filled = torch.ones(2, count, dtype=torch.bool)
    filled[0, 0] = False
    expected = portable.spread(maps, image, filled, settings(4))
    parts = (part.to(DEVICE) for part in (maps, image, filled))
    ours = triton_kernels.spread(*parts, settings(4)).cpu()
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-5)
