"""What parts see: the same whether it is formed ahead or asked for later, and computed once."""

import pytest
import torch
from tests.methods.tiny_weclip import BLOCKS, clip_state, make_batch, text_features, tiny_weclip

from weclip.backbones.clip.image_encoder import build_image_encoder
from weclip.labels.banks.embedded import Embedded
from weclip.labels.view import Guide, View
from weclip.system.errors import InputError


def view(formed=0, **more):
    encoder, rgb = build_image_encoder(clip_state()), make_batch().image
    normalised = tiny_weclip().maps.normalise(rgb)
    return View(encoder, rgb, normalised, text_features(), formed, **more)


@pytest.mark.parametrize("layers", range(1, BLOCKS + 2))
@pytest.mark.parametrize("formed", range(BLOCKS))
def test_attention_is_the_same_however_much_of_it_was_formed(formed, layers):
    expected = view(BLOCKS - 1).attention(layers)
    found = view(formed).attention(layers)
    assert found.shape == (min(layers, BLOCKS), 3, 24, 24)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


def test_each_thing_is_computed_once(monkeypatch):
    seen = view()
    calls = []
    forward = seen.encoder.forward
    monkeypatch.setattr(seen.encoder, "forward", lambda *a: calls.append(a) or forward(*a))
    assert not calls  # nothing is computed before a part asks
    for _ in range(2):
        assert seen.tokens[0].shape == (3, 25, 64)
        assert seen.patch_embedding(2).shape == (3, 24, 32)
        assert seen.patch_tokens(2) is seen.patch_tokens(2)
        assert seen.last_block is seen.last_block
    assert len(calls) == 1


def test_precision_is_that_of_the_encoder_not_of_the_part():
    """Asked for in float32, from a view that was opened under autocast."""
    with torch.autocast("cpu", torch.bfloat16):
        seen = view()
        inside = view().tokens[-1]
    with torch.autocast("cpu", enabled=False):
        assert torch.equal(seen.tokens[-1], inside)
    assert not torch.equal(view().tokens[-1], inside.float())


@pytest.mark.parametrize(("dtype", "lower"), [(torch.bfloat16, True), (torch.float16, False)])
def test_gradients_are_not_computed_in_fp16(dtype, lower):
    """It ends at 6e-8, where theirs begin."""
    with torch.autocast("cpu", dtype):
        seen = view()
    with seen.backward_precision():
        assert torch.is_autocast_enabled("cpu") == lower


def test_what_else_there_is_comes_from_providers_once():
    calls = []

    def guide(rgb):
        calls.append(rgb.shape)
        return Guide(torch.zeros(len(rgb), 6, 4), (2, 3))

    seen = view(providers={"guide": guide, "regions": lambda rgb: torch.zeros(len(rgb), 32, 48)})
    assert seen.guide.patch_grid == (2, 3)
    assert seen.guide is seen.guide
    assert calls == [(3, 3, 32, 48)]
    assert seen.regions.shape == (3, 32, 48)


@pytest.mark.parametrize("name", ["guide", "regions"])
def test_what_nothing_provides_is_one_line(name):
    with pytest.raises(InputError, match=f"reads '{name}', which this configuration does not"):
        getattr(view(), name)


def test_the_embedding_is_made_once_and_mixed_with_a_memory():
    """Of the embedder, or of the blocks that a part names."""
    assert torch.equal(view().embedding(2).rows, view().patch_embedding(2))

    class Memory:
        def remember(self, rows, patch_grid, guide, ids, *, but):
            calls.append((patch_grid, guide.patch_grid, ids.shape, but))
            return rows + 1

    class Embedder:
        def embedded(self, seen):
            calls.append("embedder")
            return Embedded(torch.zeros(3, 6, 32), (2, 3))

    calls = []
    providers = {
        "guide": lambda rgb: Guide(torch.ones(3, 2, 4), (1, 2)),
        "regions": lambda rgb: torch.zeros(3, 32, 48),
    }
    seen = view(providers=providers, embedder=Embedder(), memory=Memory(), digest=b"own")
    assert seen.embedding(2) is seen.embedding(5)
    assert calls == ["embedder", *[((2, 3), (1, 2), (32, 48), b"own")] * 3]
    assert (seen.embedding(2).rows == 1).all()
    assert seen.embedding_on_patches(2).shape == (3, 24, 32)
    assert seen.of_image(1).embedder is seen.embedder
