"""One image or many: a stream gives what single predictions give, in order, and from threads."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image
from tests.inference.segmentation.test_result import NAMES, doubled, model_with
from tests.inference.test_predictor import TinySegmenter, random_image

from weclip.inference import prediction
from weclip.inference.predictor import Predictor
from weclip.inference.segmentation.model import SegmentationModel
from weclip.system.errors import InputError

TOLERANCE = 1e-5
"""Of confidences: sums over several images at once are rounded otherwise."""

SIZES = [(40, 60)] * 5 + [(60, 40)] * 2 + [(33, 50), (40, 60)]


@pytest.fixture
def images():
    return [random_image(*size, seed) for seed, size in enumerate(SIZES)]


def same(found, expected):
    found, expected = list(found), list(expected)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert np.array_equal(one.label_map, other.label_map)
        np.testing.assert_allclose(one.confidence, other.confidence, atol=TOLERANCE)


@pytest.mark.parametrize("batch_size", [1, 3, 8])
@pytest.mark.parametrize("crf", [None, doubled])
def test_a_stream_gives_what_single_predictions_give(images, batch_size, crf):
    model = model_with(crf=crf)
    same(model.stream(images, batch_size=batch_size), map(model.predict, images))
    same(model.predict(image for image in images), map(model.predict, images))


def test_images_of_one_size_go_together(images):
    seen, network = [], TinySegmenter()
    network.register_forward_hook(lambda module, given, _: seen.append(len(given[0])))
    predictor = Predictor(network, long_side=64, scales=(1.0,), flip=False)
    assert len(list(SegmentationModel(predictor, NAMES).stream(images, batch_size=4))) == 9
    assert seen == [4, 3, 2]  # (33, 50) and (40, 60) are both resized to (42, 64)


def test_large_images_go_alone(images, monkeypatch):
    monkeypatch.setattr(prediction, "BATCH_PIXELS_ON_CPU", 2 * 42 * 64)
    seen, network = [], TinySegmenter()
    network.register_forward_hook(lambda module, given, _: seen.append(len(given[0])))
    predictor = Predictor(network, long_side=64, scales=(1.0,), flip=False)
    list(SegmentationModel(predictor, NAMES).stream(images))
    assert max(seen) == 2


def test_folders_and_patterns_are_streams(images, tmp_path):
    (tmp_path / "deep").mkdir()
    names = ["a.png", "b.png", "deep/c.png"]
    for name, image in zip(names, images, strict=False):
        Image.fromarray(image).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image")
    model = model_with()
    paths = [tmp_path / name for name in names]
    for given in (tmp_path, str(tmp_path), f"{tmp_path}/**/*.png", paths):
        same(model.predict(given), map(model.predict, paths))
    assert [found.image for found in model.stream(tmp_path)] == paths
    same(model.stream(paths[0]), [model.predict(paths[0])])


def test_a_name_with_brackets_is_a_file(images, tmp_path):
    path = tmp_path / "a[1].png"
    Image.fromarray(images[0]).save(path)
    same([model_with().predict(path)], [model_with().predict(images[0])])


def test_a_camera_may_use_its_buffer_again(images):
    def frames():
        buffer = np.empty((40, 60, 3), np.uint8)
        for image in images[:5]:
            buffer[:] = image
            yield buffer

    found = list(model_with().predict(frames()))
    same(found, map(model_with().predict, images[:5]))
    assert np.array_equal(found[0].image, images[0])


def test_what_comes_before_a_broken_image_is_given(images):
    model, wrong = model_with(), np.zeros((4, 4, 4), np.uint8)
    stream = model.predict([*images[:2], wrong, images[3]])
    same([next(stream), next(stream)], map(model.predict, images[:2]))
    with pytest.raises(InputError, match="image array is"):
        next(stream)


def test_a_stream_reads_only_a_few_ahead():
    taken = []

    def endless():
        while True:
            taken.append(None)
            yield random_image(40, 60)

    stream = model_with().stream(endless(), batch_size=2)
    next(stream)
    assert len(taken) < 12
    stream.close()


def test_threads_may_share_a_model(images):
    model = model_with()
    expected = [model.predict(image) for image in images]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            same(pool.map(model.predict, images), expected)
        streams = [pool.submit(lambda: list(model.predict(images))) for _ in range(2)]
        for stream in streams:
            same(stream.result(), expected)
