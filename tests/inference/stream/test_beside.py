import threading
import time
from functools import partial

import numpy as np
import pytest
import torch

from weclip.inference.label_masks import HeldPixels, Scores
from weclip.inference.predictor import Predictor
from weclip.inference.stream import beside as stream_module
from weclip.inference.stream.beside import Writer, held_bytes, in_processes, read_ahead
from weclip.inference.stream.predicted import predict_stream
from weclip.system.errors import InputError


class Threshold(torch.nn.Module):
    """Class 1 where red is bright."""

    def forward(self, image):
        red = image[:, :1] - 128
        return torch.cat([-red, red], dim=1)


def make_images(count=5):
    generator = np.random.default_rng(0)
    return [generator.integers(0, 256, (40 + i, 50, 3), dtype=np.uint8) for i in range(count)]


@pytest.fixture
def crfs(tmp_path, monkeypatch):
    """A module that other processes can import too."""
    (tmp_path / "crfs_of_test.py").write_text(
        "from weclip.system.errors import InputError\n"
        "def swap_classes(image, probabilities):\n"
        "    return probabilities[::-1]\n"
        "def broken(image, probabilities):\n"
        "    raise InputError('no CRF today')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import crfs_of_test

    return crfs_of_test


def test_results_are_those_of_one_image_at_a_time():
    predictor, images = Predictor(Threshold(), long_side=None), make_images(3) + make_images(2)
    results = list(predict_stream(predictor, enumerate(images)))
    assert [key for key, _ in results] == [0, 1, 2, 3, 4]
    for (_, label_map), image in zip(results, images, strict=True):
        assert np.array_equal(label_map, predictor(image))


def test_crf_in_other_processes_gives_the_same_in_order(crfs):
    predictor = Predictor(Threshold(), long_side=None, crf=crfs.swap_classes)
    images = make_images()
    results = list(predict_stream(predictor, enumerate(images), processes=2))
    assert [key for key, _ in results] == [0, 1, 2, 3, 4]
    for (_, label_map), image in zip(results, images, strict=True):
        assert label_map.dtype == np.uint8
        assert np.array_equal(label_map, predictor(image))


def test_an_error_of_the_crf_arrives(crfs):
    predictor = Predictor(Threshold(), long_side=None, crf=crfs.broken)
    with pytest.raises(InputError, match="no CRF today"):
        list(predict_stream(predictor, enumerate(make_images(1)), processes=1))


def test_reading_runs_ahead_by_a_few_in_another_thread():
    read, threads = [], set()

    def load(key):
        read.append(key)
        threads.add(threading.current_thread())
        return make_images(1)[0]

    stream = read_ahead(range(20), load, ahead=3)
    assert next(stream)[0] == 0
    time.sleep(0.1)
    assert read == [0, 1, 2, 3]
    assert [key for key, _ in stream] == list(range(1, 20))
    assert threads.isdisjoint({threading.current_thread()})


def large(key):
    return np.zeros((1000, 1000), np.uint8), key


def test_large_images_are_not_read_far_ahead(monkeypatch):
    monkeypatch.setattr(stream_module, "HELD", 1_500_000)
    read = []

    def load(key):
        read.append(key)
        return large(key)

    stream = read_ahead(range(6), load)
    assert next(stream)[0] == 0
    time.sleep(0.1)
    assert read == [0, 1, 2]  # two wait, and take more than is allowed
    assert next(stream)[0] == 1
    time.sleep(0.1)
    assert read == [0, 1, 2, 3]
    assert [key for key, _ in stream] == [2, 3, 4, 5]


def test_a_reader_without_room_ends_with_the_stream(monkeypatch):
    monkeypatch.setattr(stream_module, "HELD", 1)
    read = []

    def load(key):
        read.append(key)
        return large(key)

    stream = read_ahead(range(100), load)
    assert next(stream)[0] == 0
    stream.close()  # would wait for ever
    assert len(read) <= 3


def test_large_results_are_written_before_the_next_is_made(monkeypatch):
    monkeypatch.setattr(stream_module, "HELD", 1_500_000)
    written = []

    def write(_, key):
        time.sleep(0.05)
        written.append(key)

    with Writer() as writer:
        for key in range(4):
            writer(write, *large(key))
            assert len(written) >= key  # one waits at the most
        writer(write, np.zeros(2_000_000, np.uint8), 4)
        assert len(written) == 5


def test_large_images_wait_for_the_crf(monkeypatch):
    monkeypatch.setattr(stream_module, "FOR_CRF", 1_500_000)
    made = []

    def calls():
        for key in range(4):
            made.append(key)
            yield key, partial(np.sum, large(key)[0])

    results = in_processes(calls(), processes=1)
    assert next(results) == (0, 0)
    assert made == [0, 1]
    assert [key for key, _ in results] == [1, 2, 3]


def test_bytes_that_a_value_holds():
    image = np.zeros((2, 3, 3), np.uint8)
    pixels = HeldPixels(np.zeros((2, 2, 3), np.float32), np.zeros(2, np.uint8))
    assert held_bytes(image) == 18
    assert held_bytes((image, [image, "text"], None)) == 36
    assert held_bytes(partial(print, image, Scores(pixels))) == 18 + 48 + 2
    assert held_bytes(InputError("unread")) == 0


def test_an_unreadable_image_stops_the_stream_after_those_before_it():
    def load(key):
        if key == 2:
            raise InputError("image 2 cannot be read")
        return make_images(1)[0]

    stream = read_ahead(range(5), load)
    assert [next(stream)[0], next(stream)[0]] == [0, 1]
    with pytest.raises(InputError, match="image 2"):
        next(stream)


def test_keys_that_end_in_an_error_stop_the_stream_after_those_before_it():
    def keys():
        yield from range(3)
        raise InputError("no more keys")

    stream = read_ahead(keys(), str)
    assert [next(stream) for _ in range(3)] == [(0, "0"), (1, "1"), (2, "2")]
    with pytest.raises(InputError, match="no more keys"):
        next(stream)


def test_writer_has_written_everything_at_the_end():
    written = []
    with Writer(ahead=1) as writer:
        for index in range(10):
            writer(written.append, index)
    assert written == list(range(10))


def test_writer_passes_an_error_on():
    def fail():
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"), Writer() as writer:
        writer(fail)
