"""Matrices resize as PyTorch's bicubic filters do."""

import pytest
import torch
import torch.nn.functional as F

from weclip.backbones.positions import bicubic_matrix

LENGTHS = [1, 3, 7, 16, 20, 37, 50]


@pytest.mark.parametrize("native", [7, 16, 37])
@pytest.mark.parametrize("length", LENGTHS)
def test_they_resize_as_pytorch_does(native, length):
    given = torch.randn(2, native, native, generator=torch.Generator().manual_seed(0))
    wide = bicubic_matrix(native, length, antialias=True)
    expected = F.interpolate(given[None], (length, length), mode="bicubic", antialias=True)[0]
    torch.testing.assert_close(wide @ given @ wide.T, expected, atol=1e-5, rtol=0)
    plain = bicubic_matrix(native, length, offset=0.1, antialias=False)
    factor = (length + 0.1) / native
    expected = F.interpolate(given[None], scale_factor=(factor, factor), mode="bicubic")[0]
    torch.testing.assert_close(plain @ given @ plain.T, expected, atol=1e-5, rtol=0)
