"""Region tokens are the class token of an image that is one region, and see no other region."""

import torch
from tests.methods.tiny_weclip import clip_state

from weclip.backbones.clip.dense_embedding import class_token
from weclip.backbones.clip.image_encoder import build_image_encoder
from weclip.backbones.clip.region_embedding import region_embedding
from weclip.backbones.clip.region_tokens import block_inputs, region_tokens
from weclip.backbones.positions import bicubic


def an_image():
    return torch.randn(1, 3, 24, 32, generator=torch.Generator().manual_seed(1))


def test_inputs_of_blocks():
    encoder = build_image_encoder(clip_state())
    entering, grid = block_inputs(encoder, an_image())
    assert grid == (3, 4)
    assert len(entering) == encoder.depth
    for found, expected in zip(entering[1:], encoder(an_image()).tokens, strict=True):
        torch.testing.assert_close(found, expected)
    other, _ = block_inputs(encoder, an_image(), bicubic)
    assert not torch.allclose(other[0], entering[0])


def test_a_region_of_all_patches_is_the_class_token():
    encoder = build_image_encoder(clip_state())
    entering, _ = block_inputs(encoder, an_image())
    everything = torch.ones(1, 12, dtype=torch.bool)
    found = region_tokens(encoder, entering, everything)
    torch.testing.assert_close(found, class_token(encoder, entering[-1])[0], rtol=1e-4, atol=1e-4)


def test_regions_do_not_see_each_other():
    encoder = build_image_encoder(clip_state())
    entering, _ = block_inputs(encoder, an_image())
    seen = torch.rand(3, 12, generator=torch.Generator().manual_seed(2)) < 0.5
    together = region_tokens(encoder, entering, seen)
    for row, own in zip(together, seen, strict=True):
        alone = region_tokens(encoder, entering, own[None])[0]
        torch.testing.assert_close(row, alone, rtol=1e-4, atol=1e-4)


def test_it_is_not_the_class_token_that_sees_a_region():
    """TagCLIP's class token sees itself, as it changes; a region token sees the image's."""
    encoder = build_image_encoder(clip_state())
    entering, _ = block_inputs(encoder, an_image())
    region = torch.zeros(1, 3, 4, dtype=torch.bool)
    region[0, 1:, 2:] = True
    found = encoder.to_joint(region_tokens(encoder, entering, region.flatten(1)))
    assert not torch.allclose(found, region_embedding(encoder, an_image(), region), atol=1e-3)
