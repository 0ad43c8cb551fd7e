"""MiT's encoder: its literal restatement, sizes, precision, and stochastic depth over processes."""

import pytest
import torch
from tests.backbones.tiny_mit import WIDTHS, tiny_mit
from tests.literal.mit import features

from weclip.backbones.mit.image_encoder import SIZES, MitEncoder, MitSettings
from weclip.data.batch import Share
from weclip.system.errors import InputError


def tiny_encoder(**options):
    found = MitEncoder(MitSettings(WIDTHS), **options)
    found.load_state_dict({name: value.float() for name, value in tiny_mit().items()})
    return found


def images(*size, count=1):
    return torch.randn(count, 3, *size, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("size", [(32, 48), (45, 70), (29, 31)])
def test_it_equals_its_literal_restatement(size):
    mit, image = tiny_encoder().eval().double(), images(*size).double()
    with torch.no_grad():
        found = mit(image)
        plain = mit(image, scores=False)
    maps, scores = features(tiny_mit(), image[0])
    assert found.patch_grid == mit.grid_of(size) == tuple(maps[3].shape[1:])
    for ours, fused, literal in zip(found.maps, plain.maps, maps, strict=True):
        torch.testing.assert_close(ours[0], literal, rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(fused[0], literal, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(found.scores[0], scores, rtol=1e-9, atol=1e-9)
    assert plain.scores.shape == (1, 0, *found.scores.shape[2:])


@pytest.mark.parametrize(
    ("size", "parameters"),
    [
        ("b0", 3_319_392),
        ("b1", 13_151_424),
        ("b2", 24_196_288),
        ("b3", 44_072_128),
        ("b4", 60_842_688),
        ("b5", 81_443_008),
    ],
)
def test_parameters_of_the_published_sizes(size, parameters):
    with torch.device("meta"):
        mit = MitEncoder(SIZES[size])
    assert sum(p.numel() for p in mit.parameters()) == parameters


def test_the_norms_of_b1():
    """AFA never changes them: each has `norm` in its name."""
    with torch.device("meta"):
        mit = MitEncoder(SIZES["b1"])
    assert sum(p.numel() for name, p in mit.named_parameters() if "norm" in name) == 14_336


def test_scores_stay_in_float32_under_autocast():
    """Those of equal tokens are equal; what the blocks before them computed is rounded."""
    mit, generator = tiny_encoder().eval(), torch.Generator().manual_seed(4)
    attention, tokens = mit.stages()[3][1][1].attn, torch.randn(1, 12, 64, generator=generator)
    with torch.no_grad():
        _, exact = attention.with_scores(tokens, (3, 4))
        with torch.autocast("cpu", torch.bfloat16):
            out, found = attention.with_scores(tokens, (3, 4))
            whole = mit(images(64, 64)).scores
    assert out.dtype == torch.bfloat16
    assert torch.equal(found, exact)
    assert whole.dtype == torch.float32


def test_too_small_an_image():
    with pytest.raises(InputError, match=r"28 x 64 pixels .* each side must have at least 29"):
        tiny_encoder()(images(28, 64))


def branch_rates(mit):
    return [block.drop_path.probability for _, blocks, _ in mit.stages() for block in blocks]


def test_stochastic_depth_grows_from_nothing():
    assert branch_rates(tiny_encoder()) == pytest.approx([index / 70 for index in range(8)])


def test_stochastic_depth_acts_in_training_only():
    mit, image = tiny_encoder(drop_path=0.9), images(32, 32)
    torch.manual_seed(0)
    assert not torch.equal(mit(image).maps[3], mit(image).maps[3])
    mit.eval()
    assert torch.equal(mit(image).maps[3], mit(image).maps[3])


def test_two_processes_draw_what_one_would():
    mit, image = tiny_encoder(drop_path=0.9), images(32, 32, count=4)
    torch.manual_seed(0)
    whole = mit(image).maps[3]
    for first in (0, 2):
        torch.manual_seed(0)
        part = mit(image[first : first + 2], share=Share(first, 4)).maps[3]
        torch.testing.assert_close(part, whole[first : first + 2], rtol=1e-4, atol=1e-4)


def test_gradients_reach_every_parameter():
    mit = tiny_encoder(drop_path=0.0)
    found = mit(images(32, 32))
    (found.maps[3].square().mean() + found.scores.square().mean()).backward()
    lacking = [n for n, p in mit.named_parameters() if p.grad is None or not p.grad.any()]
    assert not lacking
