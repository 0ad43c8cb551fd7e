"""Patch embeddings without a backward pass, against their literal forms."""

import pytest
import torch
from tests.literal import dense_embedding as literal
from tests.methods.tiny_weclip import clip_state

from weclip.backbones.clip.dense_embedding import class_token, self_self_tokens, value_embedding
from weclip.backbones.clip.image_encoder import build_image_encoder

DEPTH, WIDTH = 4, 128  # two heads


@pytest.fixture(scope="module")
def seen():
    """A random encoder, its weights in float64, and the tokens of two images."""
    state = clip_state(width=WIDTH, blocks=DEPTH)
    encoder = build_image_encoder(state)
    image = torch.randn(2, 3, 24, 32, generator=torch.Generator().manual_seed(1))
    wide = {name: value.double() for name, value in state.items()}
    return encoder, wide, encoder(image).tokens


def test_values(seen):
    encoder, state, tokens = seen
    ours = value_embedding(encoder, tokens[-1])
    assert ours.shape == (2, 1 + 12, 32)
    for i in range(2):
        expected = literal.value_embedding(state, tokens[-1][i].double(), DEPTH)
        torch.testing.assert_close(ours[i].double(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("blocks", [1, 2, DEPTH - 1])
def test_self_self_attention(seen, blocks):
    encoder, state, tokens = seen
    ours = encoder.to_joint(self_self_tokens(encoder, tokens, blocks))
    for i in range(2):
        entering = [block[i].double() for block in tokens[-blocks:]]
        expected = literal.self_self_embedding(state, entering, DEPTH, 2)
        torch.testing.assert_close(ours[i].double(), expected, rtol=1e-4, atol=1e-5)


def test_more_blocks_than_there_are_inputs_of(seen):
    encoder, _, tokens = seen
    most = self_self_tokens(encoder, tokens, DEPTH - 1)
    assert torch.equal(self_self_tokens(encoder, tokens, 12), most)
    assert not torch.allclose(most, self_self_tokens(encoder, tokens, 1))


def test_other_tokens_count(seen):
    """Self-self attention gathers from all patches, values alone do not."""
    encoder, _, tokens = seen
    moved = [block.clone() for block in tokens]
    moved[-1][:, -1] += 1
    assert torch.equal(
        value_embedding(encoder, tokens[-1])[:, :-1], value_embedding(encoder, moved[-1])[:, :-1]
    )
    before, after = (self_self_tokens(encoder, each, 1)[:, :-1] for each in (tokens, moved))
    assert not torch.allclose(before, after)


def test_class_token(seen):
    """That of the whole last block, without running it for the patches."""
    encoder, _, tokens = seen
    expected = encoder.transformer.blocks[-1](tokens[-1])[:, :1]
    torch.testing.assert_close(class_token(encoder, tokens[-1]), expected, rtol=1e-4, atol=1e-5)
