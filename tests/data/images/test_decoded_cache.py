"""Decoded images are kept and used; whatever goes wrong there costs no result."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from weclip.data.batch import TaggedImage
from weclip.data.classes import ClassList
from weclip.data.images import decoded_cache
from weclip.data.images.crops import Augmentation
from weclip.data.images.decoded_cache import DecodedCache
from weclip.data.images.decoding import read_image
from weclip.data.loader import CropDataset, train_loader
from weclip.system.errors import InputError


@pytest.fixture
def jpegs(tmp_path: Path) -> list[TaggedImage]:
    rng = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    made = []
    for i in range(3):
        path = tmp_path / "images" / f"{i}.jpg"
        Image.fromarray(rng.integers(0, 256, (20 + i, 31, 3), dtype=np.uint8)).save(path)
        made.append(TaggedImage(str(i), path, (0,)))
    return made


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_are_the_same_with_and_without(jpegs, pets: ClassList, tmp_path, workers):
    def batches(**read):
        crops = CropDataset(jpegs, Augmentation(16, (0.5, 2.0), 0.5), seed=3, **read)
        loader = train_loader(crops, classes=pets, batch_size=2, workers=workers)
        return [batch.image for batch in islice(loader, 6)]

    cache = DecodedCache(tmp_path / "cache")
    for one, other in zip(batches(), batches(read=cache), strict=True):
        assert torch.equal(one, other)
    assert len(list(cache.folder.iterdir())) == 3


def test_a_kept_image_is_not_decoded_again(jpegs, tmp_path, monkeypatch):
    cache = DecodedCache(tmp_path / "cache")
    before = np.asarray(cache(jpegs[0].path))
    monkeypatch.setattr(decoded_cache, "read_image", lambda path: pytest.fail("decoded again"))
    np.testing.assert_array_equal(np.asarray(cache(jpegs[0].path)), before)


def test_a_changed_image_is_decoded_anew(jpegs, tmp_path):
    cache = DecodedCache(tmp_path / "cache")
    cache(jpegs[0].path)
    Image.new("RGB", (5, 4), "red").save(jpegs[0].path)
    assert cache(jpegs[0].path).size == (5, 4)


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY\x01", b"no array"])
def test_a_damaged_file_is_replaced(jpegs, tmp_path, damage):
    cache = DecodedCache(tmp_path / "cache")
    expected = np.asarray(cache(jpegs[0].path))
    (kept,) = cache.folder.iterdir()
    kept.write_bytes(damage)
    np.testing.assert_array_equal(np.asarray(cache(jpegs[0].path)), expected)
    np.testing.assert_array_equal(np.load(kept), np.asarray(read_image(jpegs[0].path)))


def test_bytes_needed_are_what_the_files_take(jpegs, tmp_path):
    cache = DecodedCache(tmp_path / "cache")
    expected = sum(3 * 31 * (20 + i) for i in range(3))
    assert cache.bytes_needed(jpegs) == expected
    for sample in jpegs:
        cache(sample.path)
    taken = sum(path.stat().st_size for path in cache.folder.iterdir())
    assert expected < taken <= expected + 3 * 128  # headers


def test_a_full_disk_is_noticed_first(jpegs, tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 100})
    monkeypatch.setattr(decoded_cache.shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(InputError, match=r"data.decoded_cache=.*0.0 GB free; choose another disk"):
        DecodedCache(tmp_path / "cache").bytes_needed(jpegs)


def test_a_file_in_place_of_the_folder(jpegs, tmp_path):
    (tmp_path / "cache").write_text("mine")
    with pytest.raises(InputError, match="cannot be made"):
        DecodedCache(tmp_path / "cache").bytes_needed(jpegs)
    assert (tmp_path / "cache").read_text() == "mine"


def test_a_broken_image_takes_nothing_and_waits_for_training_to_name_it(jpegs, tmp_path):
    jpegs[0].path.write_bytes(b"no image")
    cache = DecodedCache(tmp_path / "cache")
    assert cache.bytes_needed(jpegs) == 3 * 31 * (21 + 22)
    with pytest.raises(InputError, match=r"0.jpg: image cannot be read"):
        cache(jpegs[0].path)
    assert not list(cache.folder.iterdir())


def test_a_missing_image_is_named(tmp_path):
    with pytest.raises(InputError, match=r"gone.jpg: image not found"):
        DecodedCache(tmp_path / "cache")(tmp_path / "gone.jpg")
