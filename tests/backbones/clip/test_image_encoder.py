"""The frozen image encoder: shapes, attention, positions, gradients of its last block."""

import pytest
import torch
from tests.backbones.tiny_clip import tiny_state
from torch import nn

from weclip.backbones import transformer
from weclip.backbones.clip.image_encoder import ClipImageEncoder, build_image_encoder
from weclip.backbones.precision import store_frozen
from weclip.backbones.transformer import (
    ACTIVATIONS,
    Attention,
    Block,
    BlockSettings,
    LayerNorm,
)


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return ClipImageEncoder(width=128, blocks=4, patch_size=4, native_grid=5, joint_size=24)


def test_frozen_even_inside_a_training_module(encoder):
    nn.Sequential(encoder).train()
    assert not any(module.training for module in encoder.modules())
    assert not any(parameter.requires_grad for parameter in encoder.parameters())
    assert not any(tokens.requires_grad for tokens in encoder(torch.zeros(1, 3, 8, 8)).tokens)


@pytest.mark.parametrize(
    ("height", "width", "grid"), [(20, 20, (5, 5)), (17, 31, (4, 7)), (4, 50, (1, 12))]
)
def test_any_image_size(encoder, height, width, grid):
    image = torch.randn(2, 3, height, width)
    features = encoder(image)
    n = grid[0] * grid[1]
    assert features.patch_grid == grid
    assert [tokens.shape for tokens in features.tokens] == [(2, 1 + n, 128)] * 3
    assert [maps.shape for maps in features.attention] == [(2, 1 + n, 1 + n)] * 3
    for maps in features.attention:
        assert torch.allclose(maps.sum(dim=-1), torch.ones(2, 1 + n), atol=1e-5)
        assert maps.min() >= 0


def test_pixels_beyond_the_last_whole_patch_do_not_matter(encoder):
    image = torch.randn(1, 3, 19, 22)
    whole, cut = encoder(image), encoder(image[..., :16, :20])
    assert torch.equal(whole.tokens[-1], cut.tokens[-1])


def test_images_of_a_batch_do_not_see_each_other(encoder):
    image = torch.randn(3, 3, 16, 12)
    together = encoder(image).tokens[-1][1:2]
    assert torch.allclose(together, encoder(image[1:2]).tokens[-1], atol=1e-5)


def test_positions_at_the_native_grid_are_the_weights(encoder):
    assert encoder.positions((5, 5)) is encoder.positional_embedding


def test_positions_are_resized_bilinearly_with_half_pixel_centres(encoder):
    native = encoder.positional_embedding[1:].view(5, 5, 128)
    height, width = 3, 8
    resized = encoder.positions((height, width))
    assert resized.shape == (1 + height * width, 128)
    assert torch.equal(resized[0], encoder.positional_embedding[0])
    for row in range(height):
        for column in range(width):
            y = min(max((row + 0.5) * 5 / height - 0.5, 0), 4)
            x = min(max((column + 0.5) * 5 / width - 0.5, 0), 4)
            top, left = int(y), int(x)
            bottom, right = min(top + 1, 4), min(left + 1, 4)
            upper = native[top, left] * (1 - x + left) + native[top, right] * (x - left)
            lower = native[bottom, left] * (1 - x + left) + native[bottom, right] * (x - left)
            expected = upper * (1 - y + top) + lower * (y - top)
            assert torch.allclose(resized[1 + row * width + column], expected, atol=1e-6)


def test_positions_keep_rows_and_columns_apart(encoder):
    """A tall and a wide grid of the same size are not mixed up."""
    with torch.no_grad():
        encoder.positional_embedding[1:, 0] = torch.arange(5.0).repeat_interleave(5)
    tall = encoder.positions((10, 2))[1:, 0].view(10, 2)
    assert torch.equal(tall[:, 0], tall[:, 1])
    assert (tall.diff(dim=0) >= 0).all()


def test_block_against_torch_multihead_attention():
    """Literal restatement of the pre-norm block, with the maps of `nn.MultiheadAttention`."""
    torch.manual_seed(1)
    block, x = Block(128, BlockSettings(2)), torch.randn(2, 7, 128)
    nn.init.normal_(block.attn.in_proj_bias)
    nn.init.normal_(block.ln_1.weight)
    literal = nn.MultiheadAttention(128, 2, batch_first=True)
    literal.load_state_dict(block.attn.state_dict())
    for mask in (None, nn.Transformer.generate_square_subsequent_mask(7)):
        y = nn.functional.layer_norm(x, (128,), block.ln_1.weight, block.ln_1.bias)
        attended, expected_map = literal(y, y, y, attn_mask=mask)
        expected = x + attended
        y = nn.functional.layer_norm(expected, (128,), block.ln_2.weight, block.ln_2.bias)
        y = nn.functional.linear(y, block.mlp.c_fc.weight, block.mlp.c_fc.bias)
        y = y / (1 + torch.exp(-1.702 * y))
        expected = expected + nn.functional.linear(
            y, block.mlp.c_proj.weight, block.mlp.c_proj.bias
        )
        assert torch.allclose(block(x, mask), expected, atol=1e-5)
        if mask is None:
            with_map, attention = block.with_map(x)
            assert torch.allclose(with_map, expected, atol=1e-5)
            assert torch.allclose(attention, expected_map, atol=1e-6)


@pytest.mark.parametrize("name", ["gelu", "quick_gelu"])
def test_activations_and_their_slopes(name):
    x = torch.linspace(-6, 6, 49, dtype=torch.float64, requires_grad=True)
    literal = {
        "gelu": x * torch.distributions.Normal(0.0, 1.0).cdf(x),
        "quick_gelu": x / (1 + torch.exp(-1.702 * x)),
    }[name]
    (expected,) = torch.autograd.grad(literal.sum(), x)
    activation = ACTIVATIONS[name]()
    torch.testing.assert_close(activation(x), literal)
    torch.testing.assert_close(activation.slope(x), expected)


def test_block_of_another_epsilon_and_hidden_width():
    block = Block(64, BlockSettings(2, eps=0.5), hidden=100)
    assert (block.ln_1.eps, block.ln_2.eps) == (0.5, 0.5)
    assert block.mlp.c_fc.weight.shape == (100, 64)


def test_layer_norm_computes_in_float32():
    x = (100 + 5 * torch.randn(4, 64)).bfloat16()
    found = LayerNorm(64)(x)
    assert found.dtype == torch.bfloat16
    exact = nn.functional.layer_norm(x.float(), (64,)).bfloat16()
    torch.testing.assert_close(found, exact, rtol=2**-8, atol=1e-4)  # one step of bfloat16


@pytest.mark.parametrize("length", [50, 1025])  # the second has more scores than PLAIN_SCORES
def test_attention_in_bfloat16_is_that_of_float32(length, monkeypatch):
    monkeypatch.setattr(transformer, "PLAIN_SCORES", 2 * 2 * 500**2)
    torch.manual_seed(0)
    attention, x = Attention(64, 2), 2 * torch.randn(2, length, 64)
    expected, map_of = attention.with_map(x)
    with torch.autocast("cpu", torch.bfloat16):
        found, (again, found_map) = attention(x), attention.with_map(x)
    assert found_map.dtype == torch.float32
    torch.testing.assert_close(found.float(), expected, rtol=0.02, atol=0.05)
    torch.testing.assert_close(again.float(), expected, rtol=0.02, atol=0.05)
    torch.testing.assert_close(found_map, map_of, rtol=0.1, atol=1e-4)


def test_stored_in_bfloat16_it_computes_what_autocast_does(encoder):
    image = torch.randn(2, 3, 20, 16)
    whole = nn.ModuleDict({"frozen": encoder, "trained": nn.Linear(3, 3)})
    with torch.autocast("cpu", torch.bfloat16):
        before = encoder(image), encoder.run_last_block(encoder(image).tokens[-1])
        gradient = before[1].mean_gradient(torch.ones(1, 24), torch.tensor([1]))
        store_frozen(whole, "bf16")
        after = encoder(image), encoder.run_last_block(encoder(image).tokens[-1])
        again = after[1].mean_gradient(torch.ones(1, 24), torch.tensor([1]))
    assert all(torch.equal(*pair) for pair in zip(before[0].tokens, after[0].tokens, strict=True))
    assert torch.equal(before[1].embedding, after[1].embedding)
    torch.testing.assert_close(gradient, again, rtol=0.02, atol=1e-4)  # one product is in float32
    block = encoder.transformer.resblocks[0]
    assert block.mlp.c_fc.weight.dtype == block.attn.in_proj_weight.dtype == torch.bfloat16
    assert block.ln_1.weight.dtype == encoder.proj.dtype == torch.float32
    assert whole["trained"].weight.dtype == torch.float32


def test_last_block_is_the_last_block(encoder):
    tokens = encoder(torch.randn(2, 3, 20, 16)).tokens[-1]
    last = encoder.run_last_block(tokens)
    out = encoder.ln_post(encoder.transformer.resblocks[-1](tokens))
    expected = out[:, 1:].mean(dim=1) @ encoder.proj
    assert last.embedding.shape == (2, 24)
    assert torch.allclose(last.embedding, expected, atol=1e-5)
    assert torch.allclose(last.attention.sum(dim=-1), torch.ones(2, 21), atol=1e-5)
    assert not last.attention.requires_grad


def test_sizes_are_read_from_the_weights():
    state = {name: value.float() for name, value in tiny_state().items()}
    encoder = build_image_encoder(state)
    assert (encoder.width, encoder.depth, encoder.patch_size) == (64, 2, 4)
    assert (encoder.native_grid, encoder.proj.shape[1]) == (3, 32)
