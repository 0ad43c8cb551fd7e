import numpy as np
import pytest
import torch
from torch import nn

from weclip.data.images.resizing import resized as resized_in_numpy
from weclip.inference.large.tiles import (
    Large,
    Tiling,
    patch_of,
    require_memory_for_all,
    strips,
    tiled_logits,
)
from weclip.inference.onnx.predictor import OnnxPredictor
from weclip.inference.predictor import Predictor
from weclip.inference.segmentation.model import SegmentationModel
from weclip.system.errors import InputError, RunError

CLASSES = ("background", "a", "b", "c")


class Patches(nn.Module):
    """Each patch is scored by itself, so that tiles change nothing; sizes that came are kept."""

    def __init__(self, patch=16):
        super().__init__()
        torch.manual_seed(0)
        self.convolution = nn.Conv2d(3, len(CLASSES), patch, patch)
        self.seen = []

    def forward(self, image):
        self.seen.append(tuple(image.shape[2:]))
        return self.convolution(image / 255)


class Network:
    """The same as an ONNX network is called."""

    def __init__(self, model):
        self.model = model

    def __call__(self, image):
        with torch.no_grad():
            return self.model(torch.from_numpy(np.ascontiguousarray(image))).numpy()


def random_image(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def predictors(model, **settings):
    return [Predictor(model, **settings), OnnxPredictor(Network(model), **settings)]


ONE_SCALE = {"long_side": None, "scales": (1.0,), "flip": False}


@pytest.mark.parametrize("length", [1, 7, 8, 9, 12, 40, 81])
@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.75])
def test_strips_cover_a_side_and_their_weights_sum_to_one(length, overlap):
    total, ends = np.zeros(length), 0
    for strip in strips(length, 8, overlap):
        assert len(strip.weights) == min(8, length)
        assert strip.first <= ends - (round(overlap * 8) if strip.first else 0)
        total[strip.patches] += strip.weights
        ends = strip.patches.stop
    assert ends == length
    np.testing.assert_allclose(total, 1, atol=1e-6)


@pytest.mark.parametrize("patch", [8, 14, 16, 32])
@pytest.mark.parametrize("size", [(300, 170), (96, 400), (131, 97)])
def test_tiles_of_patches_that_see_only_themselves_are_the_whole(patch, size):
    model, image = Patches(patch), random_image(*size)
    for whole, tiled in zip(
        predictors(model, **ONE_SCALE),
        predictors(model, **ONE_SCALE, tiling=Tiling(100, 0.3)),
        strict=True,
    ):
        expected = np.asarray(whole.logits([whole.prepare(image)]).tolist())
        prepared = tiled.prepare(image)
        assert isinstance(prepared, Large)
        model.seen.clear()
        found = np.asarray(tiled.logits([prepared]).tolist())
        np.testing.assert_allclose(found, expected, atol=1e-5)
        assert max(map(max, model.seen[1:])) <= 100 // patch * patch  # the first tells the patch
        assert np.mean(tiled(image) == whole(image)) > 0.999


def test_an_image_of_one_tile_is_the_same_to_the_bit():
    model, image = Patches(), random_image(96, 128)
    for whole, tiled in zip(predictors(model), predictors(model, tiling=Tiling(512)), strict=True):
        assert np.array_equal(whole.prepare(image), tiled.prepare(image))
        assert np.array_equal(whole.probabilities(image), tiled.probabilities(image))


def test_tiles_are_those_of_the_resized_image():
    model, image = Patches(), random_image(64, 128)
    for whole, tiled in zip(
        predictors(model, long_side=256, scales=(1.0,), flip=True),
        predictors(model, long_side=256, scales=(1.0,), flip=True, tiling=Tiling(96)),
        strict=True,
    ):
        np.testing.assert_allclose(
            tiled.probabilities(image), whole.probabilities(image), atol=1e-5
        )
        found, expected = tiled.with_confidence(image), whole.with_confidence(image)
        assert np.mean(found.label_map == expected.label_map) > 0.999
        assert np.abs(found.confidence.astype(int) - expected.confidence).max() <= 1


def test_both_engines_agree_at_several_scales():
    model, image = Patches(), random_image(200, 330)
    settings = {"long_side": None, "scales": (0.75, 1.5), "flip": True, "tiling": Tiling(128)}
    torch_one, numpy_one = predictors(model, **settings)
    assert torch_one.logits([Large(image)]).shape == (1, 4, 12, 20)  # the grid of scale 1
    np.testing.assert_allclose(
        torch_one.probabilities(image), numpy_one.probabilities(image), atol=1e-4
    )


def test_a_seam_fades_from_one_tile_to_the_next():
    values = iter([0.0, 1.0])

    def logits_of(window):
        value = next(values)
        return np.full((1, 4, (window[1].stop - window[1].start) // 10), value, np.float32)

    logits = tiled_logits((40, 60), Tiling(40, 0.5), 10, logits_of)
    np.testing.assert_allclose(logits[0, 0], [0, 0, 1 / 3, 2 / 3, 1, 1], atol=1e-6)


def test_a_model_takes_large_images_in_a_stream():
    small, large = random_image(50, 60), random_image(210, 150)
    whole = SegmentationModel(Predictor(Patches(), **ONE_SCALE), CLASSES)
    tiled = SegmentationModel(Predictor(Patches(), **ONE_SCALE, tiling=Tiling(64)), CLASSES)
    images = [small, small, large, large, small]
    for a, b in zip(whole.stream(images), tiled.stream(images), strict=True):
        np.testing.assert_allclose(a.logits, b.logits, atol=1e-5)
        assert np.mean(a.label_map == b.label_map) > 0.999


def test_an_image_that_cannot_fit_is_said_before_the_work(monkeypatch):
    monkeypatch.setattr("weclip.inference.large.tiles.free_memory", lambda: 10**7)
    model = Patches()
    for predictor in predictors(model, **ONE_SCALE):
        with pytest.raises(RunError, match=r"1280 x 1024 pixels are 5120 patches.*eval\.tile=512"):
            predictor(random_image(1024, 1280))
    for predictor in predictors(model, **ONE_SCALE, tiling=Tiling(512)):
        predictor(random_image(1024, 1280))


def test_memory_is_asked_for_once_and_on_the_cpu_only(monkeypatch):
    monkeypatch.setattr("weclip.inference.large.tiles.free_memory", lambda: 10**7)
    model = Patches()
    for predictor in predictors(model, **ONE_SCALE):
        model.seen.clear()
        for _ in range(3):
            with pytest.raises(RunError, match="out of memory"):
                predictor.require_memory((1024, 1280))
        assert model.seen == [(224, 224)]  # the patch is looked for once
        predictor.require_memory((1024, 1024))
    OnnxPredictor(Network(model), **ONE_SCALE, on_cpu=False).require_memory((1024, 1280))


def test_memory_is_enough_for_what_fits(monkeypatch):
    monkeypatch.setattr("weclip.inference.large.tiles.free_memory", lambda: 4 * 2 * 100**2)
    require_memory_for_all((160, 160), 16, 2, 1.0)
    with pytest.raises(RunError, match="free; take"):
        require_memory_for_all((160, 160), 16, 2, 1.2)
    require_memory_for_all((160, 160), 16, 2, 1.0, bytes_of_patch=400)
    with pytest.raises(RunError, match="free; take"):
        require_memory_for_all((160, 160), 16, 2, 1.0, bytes_of_patch=401)


def test_patches_of_no_whole_pixels_are_refused():
    assert [patch_of((1, 4, 224 // patch, 224 // patch)) for patch in (8, 14, 16, 32)] == [
        8,
        14,
        16,
        32,
    ]
    with pytest.raises(InputError, match=r"no whole pixels.*leave eval\.tile out"):
        patch_of((1, 4, 18, 18))


def test_windows_of_a_resized_image_are_parts_of_it():
    image = random_image(70, 90).transpose(2, 0, 1)
    window = (slice(16, 48), slice(80, 112))
    part = resized_in_numpy(image, (140, 180), window)
    everything = resized_in_numpy(image, (140, 180), (slice(0, 140), slice(0, 180)))
    np.testing.assert_allclose(part, everything[:, 16:48, 80:112], atol=1e-4)
