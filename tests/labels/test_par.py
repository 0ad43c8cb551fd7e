import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tests.literal import par as literal

from weclip.labels.pixel_refine import (
    ParSettings,
    native,
    pixel_adaptive_refinement,
    portable,
)

DILATIONS = (1, 2, 4, 8, 12, 24)


def par(maps, image, iterations=20, dilations=DILATIONS):
    return pixel_adaptive_refinement(maps, image, settings(iterations, dilations))


def settings(iterations=20, dilations=DILATIONS):
    return ParSettings(
        iterations=iterations,
        dilations=dilations,
        colour_width=0.3,
        position_width=0.3,
        position_weight=0.01,
    )


def random_pair(batch, count, size, seed=0):
    generator = torch.Generator().manual_seed(seed)
    maps = torch.rand(batch, count, *size, generator=generator)
    image = torch.randint(0, 256, (batch, 3, *size), generator=generator).float()
    return maps, image


@pytest.mark.parametrize(
    ("size", "iterations", "dilations"),
    [((7, 9), 20, DILATIONS), ((1, 5), 3, DILATIONS), ((12, 4), 2, (1, 2)), ((5, 5), 0, (1,))],
)
def test_against_literal(size, iterations, dilations):
    maps, image = random_pair(2, 3, size)
    image[1, :, : size[0] // 2] = 77  # a flat part, without any deviation
    ours = par(maps, image, iterations, dilations)
    for i in range(2):
        expected = literal.par(
            maps[i].double().numpy(), image[i].double().numpy(), iterations, dilations
        )
        np.testing.assert_allclose(ours[i].numpy(), expected, rtol=1e-4, atol=1e-5)
    assert ours.dtype == torch.float32


def test_constant_maps_grow_by_the_position_weight():
    """Weights sum to 1 + 0.01 everywhere, so a constant map keeps its form."""
    _, image = random_pair(2, 1, (9, 6))
    for iterations in (1, 5, 20):
        ours = par(torch.full((2, 2, 9, 6), 0.3), image, iterations)
        torch.testing.assert_close(ours, torch.full_like(ours, 0.3 * 1.01**iterations))


def test_weights_stay_on_one_side_of_an_edge():
    image = torch.zeros(1, 3, 12, 12)
    image[..., 6:] = 255
    maps = torch.zeros(1, 1, 12, 12)
    maps[..., 6:] = 1
    noisy = maps.clone()
    noisy[0, 0, 6, 2] = 1  # a speck on the wrong side
    refined = par(noisy, image, 5, (1, 2))
    assert refined[0, 0, 6, 2] < 0.2
    assert refined[..., 7:].min() > 0.8


def test_images_and_maps_do_not_see_each_other():
    maps, image = random_pair(3, 2, (8, 10))
    together = par(maps, image)
    for i in range(3):
        one = par(maps[i : i + 1, 1:], image[i : i + 1])
        torch.testing.assert_close(together[i : i + 1, 1:], one)


def test_linear_in_the_maps():
    maps, image = random_pair(1, 2, (6, 7))
    both = par(2 * maps[:, :1] - 3 * maps[:, 1:], image)
    one, other = par(maps, image).split(1, dim=1)
    torch.testing.assert_close(both, 2 * one - 3 * other, rtol=1e-4, atol=1e-5)


def test_image_is_resized_with_aligned_corners():
    maps, _ = random_pair(1, 2, (6, 8))
    _, image = random_pair(1, 1, (11, 5))
    resized = F.interpolate(image, size=(6, 8), mode="bilinear", align_corners=True)
    assert torch.equal(par(maps, image), par(maps, resized))


def test_weights_do_not_depend_on_the_normalisation():
    """Measured, as docs/differences.md says: scale and offset of a channel cancel in the weights.

    PAR divides by the local deviation of each channel, so only the 1e-8 beside it can differ.
    """
    maps, image = random_pair(2, 3, (16, 16))
    image[0, :, 4:9] = 31  # flat
    image[1] = (image[1] / 60).floor() + 100  # little contrast
    mean = torch.tensor([123.675, 116.28, 103.53]).view(3, 1, 1)
    std = torch.tensor([58.395, 57.12, 57.375]).view(3, 1, 1)
    plain, normalised = par(maps, image), par(maps, (image - mean) / std)
    assert (plain - normalised).abs().max() < 2e-5
    assert torch.equal(plain.argmax(1), normalised.argmax(1))


def test_inputs_are_left_alone():
    maps, image = random_pair(1, 1, (5, 5))
    before = maps.clone(), image.clone()
    par(maps, image)
    assert torch.equal(maps, before[0])
    assert torch.equal(image, before[1])


def test_bf16_does_not_crash():
    maps, image = random_pair(1, 2, (6, 6))
    refined = par(maps.bfloat16(), image)
    assert refined.dtype == torch.bfloat16
    assert refined.isfinite().all()


@pytest.mark.parametrize("size", [(30, 41), (64, 64), (3, 100)])
def test_native_and_portable_agree(size):
    maps, image = random_pair(3, 4, size)
    image[2] = 50
    filled = torch.tensor([[1, 1, 0, 1], [0, 0, 0, 0], [1, 1, 1, 1]], dtype=torch.bool)
    one = native.spread(maps, image, filled, settings(6))
    other = portable.spread(maps, image, filled, settings(6))
    torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


def test_maps_that_do_not_count_cost_nothing_and_come_out_empty():
    maps, image = random_pair(2, 3, (8, 9))
    filled = torch.tensor([[True, False, True], [False, True, False]])
    refined = pixel_adaptive_refinement(maps, image, settings(3), filled)
    assert (refined[~filled] == 0).all()
    assert torch.equal(refined[filled], par(maps, image, 3)[filled])
    broken = maps.masked_fill(~filled[..., None, None], torch.nan)
    assert torch.equal(pixel_adaptive_refinement(broken, image, settings(3), filled), refined)


def test_native_exponential():
    for low, tolerance in ((-5, 5e-7), (-100, 5e-6)):
        x = np.linspace(low, 0, 5001, dtype=np.float32)
        ours = np.array([native._exp(value) for value in x])
        expected = np.exp(x.astype(np.float64))
        np.testing.assert_allclose(ours, expected, rtol=tolerance, atol=1e-37)
