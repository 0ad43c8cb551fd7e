"""Pickled tags: whatever the file is, `weclip convert` reads it or says one line."""

import io
import pickle
from random import Random

import numpy as np
import pytest
from numpy.lib import format as npy
from tests.fuzz import programs
from tests.fuzz.budget import damaged, fuzz

from weclip.data.classes import load_classes
from weclip.data.tags.pickled import read_pickled_tags

VOC = load_classes("voc")
HEADER = io.BytesIO()
npy.write_array_header_1_0(HEADER, npy.header_data_from_array_1_0(np.empty((), dtype=object)))


def tags(rng: Random) -> object:
    """A dictionary of tags, in one of the ways in which they are kept."""
    kind = rng.choice((str, int, np.int32))
    dtype = rng.choice(("f4", "f8", "i8", "u1", "?", ">f4", "c8", "O"))
    rows = {}
    for index in range(rng.randrange(4)):
        key = f"2007_{index:06}" if kind is str else kind(2007000000 + index)
        row = np.array([rng.random() < 0.2 for _ in range(20)])
        rows[key] = row.tolist() if rng.random() < 0.2 else row.astype(dtype)
    return rows


def written(rng: Random) -> bytes:
    """A file: honest and damaged, or a program behind an honest header."""
    if rng.random() < 0.5:
        return HEADER.getvalue() + programs.program(rng)
    array = np.empty((), dtype=object)
    array[()] = tags(rng)
    content = HEADER.getvalue() + pickle.dumps(array, rng.randrange(6))
    if rng.random() < 0.1:
        return content
    return damaged(rng, content, (programs.value(rng), b"\x93NUMPY\x01\x00", b"(h\x00"))


@pytest.mark.long
def test_any_file_is_read_or_refused(tmp_path):
    path = tmp_path / "tags.npy"

    def read(content: bytes) -> None:
        path.write_bytes(content)
        read_pickled_tags(path, VOC)

    results = fuzz(written, read)
    assert results["read"] > 10
