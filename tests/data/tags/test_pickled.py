"""The pickled tags of published code: read to the same numbers, and never executed."""

import contextlib
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from numpy.lib import format as npy

from weclip.data.classes import ClassList, load_classes
from weclip.data.tags.pickled import read_pickled_tags
from weclip.system.errors import InputError

VOC = load_classes("voc")


def random_tags(dtype: str, count: int = 50) -> dict[str, np.ndarray]:
    present = np.random.default_rng(0).random((count, 20)) < 0.15
    return {f"2007_{i:06d}": row.astype(dtype) for i, row in enumerate(present)}


def write(path: Path, content: object, protocol: int = 3) -> Path:
    """As `numpy.save` writes an object, with any pickle protocol."""
    array = np.empty((), dtype=object)
    array[()] = content
    with path.open("wb") as file:
        npy.write_array_header_1_0(file, npy.header_data_from_array_1_0(array))
        pickle.dump(array, file, protocol=protocol)
    return path


def truth(path: Path) -> dict[str, tuple[int, ...]]:
    content = np.load(path, allow_pickle=True).item()
    return {name: tuple(np.flatnonzero(row).tolist()) for name, row in content.items()}


@pytest.mark.parametrize("dtype", ["f4", "f8", "i8", "u1", "?"])
def test_as_numpy_saves_it(tmp_path, dtype):
    np.save(tmp_path / "tags.npy", random_tags(dtype))
    read = read_pickled_tags(tmp_path / "tags.npy", VOC)
    assert read == truth(tmp_path / "tags.npy")
    assert len(read) == 50
    assert any(read.values())


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
def test_any_protocol(tmp_path, protocol):
    path = write(tmp_path / "tags.npy", random_tags("f4", 5), protocol)
    assert read_pickled_tags(path, VOC) == truth(path)


def test_lists_in_place_of_arrays(tmp_path):
    path = write(tmp_path / "tags.npy", {"a": [0.0] * 19 + [1.0], "b": [0] * 20})
    assert read_pickled_tags(path, VOC) == {"a": (19,), "b": ()}


class Malicious:
    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.call


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (os.system, ("touch {marker}",)),
        (eval, ("open('{marker}', 'w')",)),
        (Path.touch, (Path("x"),)),
        (np.fromfile, ("{marker}",)),
        (getattr, ("x", "upper")),
    ],
)
@pytest.mark.parametrize("depth", ["whole", "value", "array"])
def test_nothing_is_executed(tmp_path, function, arguments, depth):
    marker = tmp_path / "executed"
    bad: object = Malicious(
        function, *(a.format(marker=marker) if isinstance(a, str) else a for a in arguments)
    )
    if depth == "array":
        holder = np.empty(1, dtype=object)
        holder[0] = bad
        bad = holder
    path = write(tmp_path / "tags.npy", bad if depth == "whole" else {"a": bad})
    with pytest.raises(InputError, match=r"asks for '.*', which tags do not need; nothing was"):
        read_pickled_tags(path, VOC)
    assert not marker.exists()


@pytest.mark.parametrize("share", [0.02, 0.1, 0.5, 0.9, 0.99])
def test_truncated(tmp_path, share):
    path = write(tmp_path / "tags.npy", random_tags("f4"))
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(InputError, match=r"tags.npy: ") as error:
        read_pickled_tags(path, VOC)
    assert "\n" not in str(error.value)


def test_random_damage_is_an_input_error_or_harmless(tmp_path):
    path = write(tmp_path / "tags.npy", random_tags("f4", 3))
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(whole)
        for at in rng.integers(len(whole), size=3):
            damaged[at] = rng.integers(256)
        path.write_bytes(damaged)
        with contextlib.suppress(InputError):
            read_pickled_tags(path, VOC)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"a": np.zeros(80)}, r"tags.npy: a: expected 20 numbers, .* --classes"),
        ({"a": np.zeros((2, 10))}, "tags.npy: a: expected 20 numbers"),
        ({"a": "person"}, "expected 20 numbers"),
        ({}, "expected a dictionary"),
        ([1, 2], "expected a dictionary"),
        (None, "expected a dictionary"),
        ({"a": np.zeros(20, dtype=">f4")}, "big-endian"),
        ({"a": np.zeros(20, dtype="c16")}, "an array of type c16"),
    ],
)
def test_something_else(tmp_path, content, expected):
    path = write(tmp_path / "tags.npy", content)
    with pytest.raises(InputError, match=expected):
        read_pickled_tags(path, VOC)


def test_an_array_of_numbers(tmp_path):
    np.save(tmp_path / "tags.npy", np.zeros((4, 20)))
    with pytest.raises(InputError, match="holds an array and no dictionary"):
        read_pickled_tags(tmp_path / "tags.npy", VOC)


def test_no_npy_and_no_file(tmp_path, pets: ClassList):
    (tmp_path / "tags.npy").write_text("image,tags")
    with pytest.raises(InputError, match=r"not a pickled .npy of tags"):
        read_pickled_tags(tmp_path / "tags.npy", pets)
    with pytest.raises(InputError, match="tags file not found"):
        read_pickled_tags(tmp_path / "gone.npy", pets)


@pytest.mark.parametrize("key", [np.int32, np.int64, int, str])
def test_names_as_irn_and_recam_keep_them(tmp_path, key):
    name = "2007_000032" if key is str else key(2007000032)
    np.save(tmp_path / "cls_labels.npy", {name: np.eye(20, dtype="f4")[3]})
    assert read_pickled_tags(tmp_path / "cls_labels.npy", VOC) == {"2007_000032": (3,)}


def test_ids_of_coco(tmp_path):
    np.save(tmp_path / "tags.npy", {np.int64(9): np.eye(80)[3], 581929: np.eye(80)[0]})
    read = read_pickled_tags(tmp_path / "tags.npy", load_classes("coco"))
    assert read == {"000000000009": (3,), "000000581929": (0,)}


@pytest.mark.parametrize("key", [9, -2007000032, 1e9, None, True, np.float32(2), "", (1, 2)])
def test_keys_that_name_no_image(tmp_path, key):
    path = write(tmp_path / "tags.npy", {key: np.eye(20)[0]})
    with pytest.raises(InputError, match=r"tags.npy: (the key .* names no image|not a pickled)"):
        read_pickled_tags(path, VOC)


def test_two_keys_of_one_image(tmp_path):
    path = write(tmp_path / "tags.npy", {2007000032: np.eye(20)[0], "2007_000032": np.eye(20)[1]})
    with pytest.raises(InputError, match="two keys mean the image '2007_000032'"):
        read_pickled_tags(path, VOC)
