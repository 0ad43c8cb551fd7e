"""The hand-made gradient of the last block against autograd through the plain block."""

import pytest
import torch

from weclip.backbones.clip.image_encoder import ClipImageEncoder
from weclip.backbones.transformer import BlockSettings


def make_encoder(width: int, settings: BlockSettings | None = None) -> ClipImageEncoder:
    torch.manual_seed(width)
    encoder = ClipImageEncoder(
        width=width, blocks=2, patch_size=4, native_grid=3, joint_size=24, settings=settings
    )
    for name, parameter in encoder.named_parameters():
        if name.endswith(("bias", "ln_1.weight", "ln_2.weight", "ln_post.weight")):
            parameter.data = parameter.data + 0.3 * torch.randn_like(parameter)
        elif "attn.in_proj_weight" in name:
            parameter.data = 3 * parameter.data  # attention that is far from even
    return encoder


SETTINGS = {
    "openai": None,
    "laion": BlockSettings(heads=1, activation="gelu"),
    "more heads, another epsilon": BlockSettings(heads=8, activation="gelu", eps=0.01),
}


def autograd_mean_gradient(encoder, tokens, upstream, image):
    """One backward pass per score through the block as it is written."""
    block = encoder.transformer.blocks[-1]
    result = []
    for score, index in zip(upstream, image.tolist(), strict=True):
        normalised = block.ln_1(tokens[index : index + 1]).detach().requires_grad_()
        attended, _ = block.attn.with_map(normalised)
        x = tokens[index : index + 1] + attended
        x = encoder.ln_post(x + block.mlp(block.ln_2(x)))
        embedding = x[:, 1:].mean(dim=1) @ encoder.proj
        (embedding[0] @ score).backward()
        result.append(normalised.grad[0, 1:].mean(dim=0))
    return torch.stack(result)


@pytest.mark.parametrize("width", [64, 192])
@pytest.mark.parametrize("patches", [1, 5, 12])
@pytest.mark.parametrize("settings", SETTINGS)
def test_mean_gradient_is_autograds(width, patches, settings):
    encoder = make_encoder(width, SETTINGS[settings])
    tokens = torch.randn(3, 1 + patches, width)
    image = torch.tensor([0, 0, 2, 2, 2])  # image 1 has no score
    upstream = torch.randn(len(image), 24)
    ours = encoder.run_last_block(tokens).mean_gradient(upstream, image)
    expected = autograd_mean_gradient(encoder, tokens, upstream, image)
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-4 * expected.abs().max())


def test_no_scores_give_no_gradients():
    last = make_encoder(64).run_last_block(torch.randn(2, 5, 64))
    none = torch.zeros(0, dtype=torch.int64)
    assert last.mean_gradient(torch.zeros(0, 24), none).shape == (0, 64)


def test_embedding_is_that_of_the_plain_block():
    encoder, tokens = make_encoder(128), torch.randn(2, 7, 128)
    last = encoder.run_last_block(tokens)
    x, attention = encoder.transformer.blocks[-1].with_map(tokens)
    expected = encoder.ln_post(x)[:, 1:].mean(dim=1) @ encoder.proj
    torch.testing.assert_close(last.embedding, expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(last.attention, attention)


@pytest.mark.parametrize("settings", SETTINGS)
def test_autocast_stays_close(settings):
    """bf16 products leave the direction of the gradient and the embedding nearly unchanged."""
    encoder, tokens = make_encoder(128, SETTINGS[settings]), torch.randn(2, 10, 128)
    upstream, image = torch.randn(2, 24), torch.arange(2)
    exact = encoder.run_last_block(tokens)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = encoder.run_last_block(tokens)
        gradient = rounded.mean_gradient(upstream, image)
    assert gradient.dtype == rounded.embedding.dtype == torch.float32
    cosine = torch.nn.functional.cosine_similarity
    assert cosine(gradient, exact.mean_gradient(upstream, image)).min() > 0.999
    assert cosine(rounded.embedding, exact.embedding).min() > 0.9995
