"""DINOv2's tower: the same features with and without registers, and refused if not whole."""

import pytest
import torch
from safetensors.torch import save_file
from tests.backbones.tiny_dino import hub_shapes

from weclip.backbones.dino.tower import read_tower
from weclip.backbones.dino.weights import load_dino
from weclip.system.errors import InputError

IMAGE = 255 * torch.rand(1, 3, 20, 28, generator=torch.Generator().manual_seed(0))


def encoder(path, registers=0):
    generator = torch.Generator().manual_seed(1)
    shapes = hub_shapes(width=64, blocks=2, patch=4, grid=3, registers=registers)
    save_file({k: 0.3 * torch.randn(v, generator=generator) for k, v in shapes.items()}, path)
    return load_dino(path).image


@pytest.mark.parametrize("registers", [0, 4])
def test_it_computes_as_the_whole_dino(registers, tmp_path):
    whole = encoder(tmp_path / "dino.safetensors", registers)
    save_file(whole.state_dict(), tmp_path / "tower.safetensors")
    found = read_tower(tmp_path / "tower.safetensors")
    assert torch.equal(found(IMAGE).features, whole(IMAGE).features)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"registers": None}, "missing registers"),
        ({"class_token": None}, "missing class_token"),
        ({"norm.bias": torch.zeros(3)}, r"norm.bias \(found"),
        ({"transformer.resblocks.99999999.x": torch.zeros(1)}, "100000000 blocks; damaged"),
    ],
)
def test_what_is_not_whole_is_refused(change, said, tmp_path):
    state = encoder(tmp_path / "dino.safetensors").state_dict() | change
    path = tmp_path / "tower.safetensors"
    save_file({k: v for k, v in state.items() if v is not None}, path)
    with pytest.raises(InputError, match=said):
        read_tower(path)
