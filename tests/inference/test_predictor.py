from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from weclip.data.windows import windows
from weclip.inference import predictor as predictor_module
from weclip.inference.prediction import CERTAIN
from weclip.inference.predictor import (
    Predictor,
    logits_to_label_map,
    multi_scale_logits,
    resize_long_side,
)


class TinySegmenter(nn.Module):
    """A patch convolution, a dropout that eval mode must silence, and a part pinned in eval."""

    def __init__(self, classes=4, patch=16):
        super().__init__()
        torch.manual_seed(0)
        self.patches = nn.Conv2d(3, classes, patch, patch)
        self.dropout = nn.Dropout(0.5)
        self.frozen = nn.Identity().eval()

    def forward(self, image):
        return self.dropout(self.patches(image / 255))


def random_image(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("size", "long_side", "expected"),
    [
        ((375, 500), 512, (384, 512)),
        ((333, 500), 512, (340, 512)),  # 340.99 is truncated
        ((500, 333), 512, (512, 340)),
        ((20, 30), None, (20, 30)),
        ((49, 49), 1, (1, 1)),  # 49 * (1 / 49) is below 1 in floating point
    ],
)
def test_resize_truncates_sizes(size, long_side, expected):
    resized = resize_long_side(random_image(*size), long_side)
    assert resized.shape == (1, 3, *expected)
    assert resized.dtype == torch.float32


def test_resize_keeps_pixels_of_an_image_that_fits():
    image = random_image(20, 30)
    resized = resize_long_side(image, 30)
    assert torch.equal(resized[0].permute(1, 2, 0), torch.from_numpy(image).float())
    assert torch.equal(resized, resize_long_side(torch.from_numpy(image), 30))


def test_resize_is_bilinear_with_half_pixel_centres():
    image = torch.tensor([[0.0, 100.0]])[..., None].expand(1, 2, 3)
    resized = resize_long_side(image, 4)[0, 0]
    torch.testing.assert_close(resized, torch.tensor([[0.0, 25.0, 75.0, 100.0]] * 2))


def test_resize_stretches_a_strip_to_a_patch():
    assert resize_long_side(random_image(3, 600), 512, smallest_side=32).shape == (1, 3, 32, 512)


def test_multi_scale_follows_the_specification():
    model = TinySegmenter().eval()
    image = torch.from_numpy(random_image(70, 90)).permute(2, 0, 1)[None].float()
    per_scale = []
    for scale in (1.0, 0.75):
        scaled = F.interpolate(image, scale_factor=scale, mode="bilinear", align_corners=False)
        logits = (model(scaled) + model(scaled.flip(3)).flip(3)) / 2
        per_scale.append(F.interpolate(logits, (4, 5), mode="bilinear", align_corners=False))
    expected = sum(per_scale) / 2
    for scales in ((1.0, 0.75), (0.75, 1.0)):
        torch.testing.assert_close(
            multi_scale_logits(model, image, scales=scales, flip=True), expected
        )


def test_single_scale_is_the_model_itself():
    model = TinySegmenter().eval()
    image = torch.rand(1, 3, 48, 70) * 255
    assert torch.equal(multi_scale_logits(model, image, scales=(1.0,), flip=False), model(image))


def test_flip_average_turns_with_the_image():
    model = TinySegmenter().eval()
    image = torch.rand(1, 3, 64, 96) * 255
    straight = multi_scale_logits(model, image, scales=(1.0, 0.5), flip=True)
    mirrored = multi_scale_logits(model, image.flip(3), scales=(1.0, 0.5), flip=True)
    torch.testing.assert_close(mirrored.flip(3), straight)
    assert straight.shape == (1, 4, 4, 6)


def test_constant_image_is_the_same_at_every_scale():
    model = TinySegmenter().eval()
    image = torch.full((1, 3, 64, 64), 90.0)
    torch.testing.assert_close(
        multi_scale_logits(model, image, scales=(1.0, 0.75, 2.0), flip=True),
        multi_scale_logits(model, image, scales=(1.0,), flip=False),
    )


def test_no_scale_is_refused():
    with pytest.raises(ValueError, match="at least one scale"):
        multi_scale_logits(TinySegmenter(), torch.zeros(1, 3, 32, 32), scales=(), flip=False)


def test_label_map_takes_the_best_class_at_image_size():
    logits = torch.zeros(1, 3, 1, 2)
    logits[0, 2, 0, 0] = 5
    logits[0, 1, 0, 1] = 5
    label_map = logits_to_label_map(logits, (2, 4))
    assert label_map.tolist() == [[2, 2, 1, 1]] * 2
    assert label_map.dtype == torch.uint8


@pytest.mark.parametrize("size", [(50, 37), (33, 100), (5, 5), (3, 400)])
@pytest.mark.parametrize("long_side", [None, 96])
def test_predictor_returns_the_original_size(size, long_side):
    label_map = Predictor(TinySegmenter(), long_side=long_side)(random_image(*size))
    assert label_map.shape == size
    assert label_map.dtype == np.uint8


def test_predictor_is_deterministic_and_restores_every_mode():
    model = TinySegmenter().train()
    model.frozen.eval()
    predictor = Predictor(model, long_side=None)
    image = random_image(64, 64)
    first = predictor(image)
    assert np.array_equal(first, predictor(image))
    assert model.training
    assert model.dropout.training
    assert not model.frozen.training


def test_mode_is_restored_after_an_error():
    model = TinySegmenter().train()

    def fail(image):
        assert not model.dropout.training
        assert not torch.is_grad_enabled()
        raise RuntimeError("boom")

    model.forward = fail
    with pytest.raises(RuntimeError, match="boom"):
        Predictor(model)(random_image(32, 32))
    assert model.dropout.training
    assert torch.is_grad_enabled()


def test_plain_function_is_a_model():
    def model(image):
        assert not torch.is_grad_enabled()
        return F.avg_pool2d(image, 16)

    image = np.zeros((32, 32, 3), dtype=np.uint8)
    image[..., 1] = 200
    assert (Predictor(model, long_side=None)(image) == 1).all()


def test_crf_sees_the_image_and_its_probabilities():
    seen = {}

    def crf(image, probabilities):
        seen.update(image=image, probabilities=probabilities)
        flipped = np.zeros_like(probabilities)
        flipped[3] = 1
        return flipped

    image = random_image(40, 50)
    label_map = Predictor(TinySegmenter(), long_side=96, crf=crf)(image)
    assert (label_map == 3).all()
    assert label_map.dtype == np.uint8
    assert np.array_equal(seen["image"], image)
    assert seen["probabilities"].shape == (4, 40, 50)
    np.testing.assert_allclose(seen["probabilities"].sum(0), 1, rtol=1e-5)


def test_crf_that_changes_nothing_changes_nothing():
    image = random_image(64, 80)
    plain = Predictor(TinySegmenter(), long_side=None)
    same = Predictor(
        TinySegmenter(), long_side=None, crf=lambda image, probabilities: probabilities
    )
    assert np.array_equal(plain(image), same(image))


def test_confidence_is_the_probability_of_the_class_with_and_without_crf(monkeypatch):
    monkeypatch.setattr(predictor_module, "windows", partial(windows, most=2**9))
    model, image = TinySegmenter(), random_image(70, 90)

    def double(image, probabilities):
        squares = probabilities**2
        return squares / squares.sum(0)

    plain = Predictor(model, long_side=None)
    refined = replace(plain, crf=double)
    before = plain.probabilities(image)
    for predictor, probabilities in ((plain, before), (refined, double(image, before))):
        found = predictor.with_confidence(image)
        assert np.array_equal(found.label_map, predictor(image))
        assert found.confidence.dtype == np.uint8
        assert np.abs(found.confidence / CERTAIN - probabilities.max(0)).max() <= 0.51 / CERTAIN
        assert len(np.unique(found.confidence)) > 10
