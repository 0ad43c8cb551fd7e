"""The image tower alone: the same features, whatever the CLIP was, and refused if not whole."""

import pytest
import torch
from safetensors.torch import save_file
from tests.backbones.tiny_clip import tiny_state

from weclip.backbones.clip.tower import NoTexts, read_tower, tower_of
from weclip.backbones.clip.weights import load_clip
from weclip.backbones.transformer import BlockSettings
from weclip.system.errors import InputError


@pytest.fixture
def clip(tmp_path):
    save_file(tiny_state(), tmp_path / "clip.safetensors")
    return load_clip(tmp_path / "clip.safetensors", "gelu")


@pytest.fixture
def stored(clip, tmp_path):
    """A tower's file, how it computes, and its tensors."""
    tensors, blocks = tower_of(clip.image)
    save_file(tensors, tmp_path / "tower.safetensors")
    return tmp_path / "tower.safetensors", blocks, tensors


def features(encoder):
    image = torch.randn(1, 3, 24, 32, generator=torch.Generator().manual_seed(0))
    found = encoder(image)
    return [*found.tokens, *found.attention, encoder.to_joint(found.tokens[-1])]


def test_it_computes_as_the_whole_clip(clip, stored):
    path, blocks, _ = stored
    assert blocks.activation == "gelu"
    found = features(read_tower(path, blocks))
    assert all(map(torch.equal, found, features(clip.image)))
    other = features(read_tower(path, BlockSettings(blocks.heads, "quick_gelu", blocks.eps)))
    assert not torch.equal(other[-1], found[-1])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"visual.proj": None}, "missing visual.proj"),
        ({"visual.ln_pre.bias": torch.zeros(3)}, r"visual.ln_pre.bias \(found"),
        ({"visual.more": torch.zeros(1)}, "unexpected visual.more"),
        ({"visual.ln_pre.bias": torch.zeros(128).int()}, "expected floating point"),
        ({"visual.transformer.resblocks.999999999.x": torch.zeros(1)}, "names block 1000000000"),
    ],
)
def test_what_is_not_whole_is_refused(stored, change, said):
    path, blocks, tensors = stored
    save_file({k: v for k, v in (tensors | change).items() if v is not None}, path)
    with pytest.raises(InputError, match=said):
        read_tower(path, blocks)


def test_heads_that_do_not_divide(stored):
    with pytest.raises(InputError, match="is no multiple of 7 heads"):
        read_tower(stored[0], BlockSettings(7))


def test_texts_that_are_not_there_cannot_be_used():
    rows = NoTexts().encode(["a cat", "a dog"])
    assert len(rows) == 2
    with pytest.raises(RuntimeError):
        torch.zeros(5, 16) @ rows.T
