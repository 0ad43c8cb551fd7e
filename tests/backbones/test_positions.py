"""Positions fit any grid; matrices resize as PyTorch's bicubic filters do."""

import pytest
import torch
import torch.nn.functional as F

from weclip.backbones.positions import bicubic, bicubic_by_count, bicubic_matrix, bilinear

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


@pytest.mark.parametrize("resize", [bilinear, bicubic, bicubic_by_count])
def test_positions_of_the_stored_grid_are_as_stored(resize):
    stored = torch.randn(1 + 16, 5, generator=torch.Generator().manual_seed(0))
    assert resize(stored, (4, 4)) is stored
    other = resize(stored, (3, 7))
    assert other.shape == (1 + 21, 5)
    assert torch.equal(other[0], stored[0])


def test_only_the_number_of_patches_is_compared_as_released():
    stored = torch.randn(1 + 16, 5, generator=torch.Generator().manual_seed(0))
    assert bicubic_by_count(stored, (2, 8)) is stored
    assert not torch.allclose(bicubic(stored, (2, 8)), stored, atol=0.1)
    assert torch.equal(bicubic_by_count(stored, (3, 5)), bicubic(stored, (3, 5)))
