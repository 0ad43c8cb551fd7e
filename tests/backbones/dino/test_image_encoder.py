"""DINOv2's patch tokens are those of the equations, in both kinds of positions."""

import pytest
import torch
from tests.backbones.tiny_dino import TINY, tiny_dino
from tests.literal.dino import patch_tokens, positions, query_key

from weclip.backbones.dino.weights import load_dino

GRIDS = [(3, 3), (2, 2), (5, 4), (1, 7)]


def load(state, folder):
    torch.save(state, folder / "dino.pth")
    return load_dino(folder / "dino.pth").image


def weighing(name):
    """A factor with which GELU, epsilon and LayerScale all show in the tokens."""
    if name.endswith(("gamma", "fc1.weight")):
        return 5
    return 1 if name.startswith(("blocks.", "norm.")) else 0.02  # variances near epsilon


def as_stored(state):
    return {name: value.float() for name, value in state.items()}


@pytest.mark.parametrize("registers", [0, 4])
@pytest.mark.parametrize("grid", GRIDS)
def test_positions(registers, grid, tmp_path):
    state = tiny_dino(registers)
    found = load(state, tmp_path).positions(grid).double()
    torch.testing.assert_close(found, positions(as_stored(state), grid), atol=1e-5, rtol=0)


@pytest.mark.parametrize("registers", [0, 4])
def test_patch_tokens(registers, tmp_path):
    state = {name: weighing(name) * value for name, value in tiny_dino(registers).items()}
    encoder = load(state, tmp_path)
    image = torch.randint(256, (1, 3, 14, 17), generator=torch.Generator().manual_seed(1))
    found = encoder(image.byte())
    assert found.patch_grid == (3, 4)
    tokens = found.features
    assert tokens.shape == (1, 12, TINY["width"])
    expected = patch_tokens(as_stored(state), encoder.prepare(image)[0])
    torch.testing.assert_close(tokens[0].double(), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("registers", [0, 4])
def test_queries_and_keys(registers, tmp_path):
    state = {name: weighing(name) * value for name, value in tiny_dino(registers).items()}
    encoder = load(state, tmp_path)
    image = torch.randint(256, (1, 3, 14, 17), generator=torch.Generator().manual_seed(1))
    found = encoder.query_key(image.byte())
    assert found.patch_grid == (3, 4)
    expected = query_key(as_stored(state), encoder.prepare(image)[0])
    torch.testing.assert_close(found.features[0].double(), expected, atol=1e-4, rtol=0)


def test_whole_patches_are_only_normalised(dino, tmp_path):
    encoder = load(dino, tmp_path)
    grey = torch.full((1, 3, 8, 12), 255, dtype=torch.uint8)
    expected = (1 - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    torch.testing.assert_close(encoder.prepare(grey)[0, :, 3, 5], expected)
    assert encoder.prepare(grey).shape == (1, 3, 8, 12)


def test_it_stays_frozen(dino, tmp_path):
    encoder = load(dino, tmp_path).train()
    assert not encoder.training
    assert not any(parameter.requires_grad for parameter in encoder.parameters())
