"""Pickled tags that are programs: nothing of ours is changed, nothing hangs, memory is bounded."""

import io
import os
import pickle
from time import process_time

import numpy as np
import pytest
from numpy.lib import format as npy

from weclip.data.classes import load_classes
from weclip.data.tags import pickled
from weclip.data.tags.pickled import read_pickled_tags
from weclip.system.errors import InputError

VOC = load_classes("voc")
DTYPE = b"cnumpy\ndtype\n"
ARRAY = b"cnumpy.core.multiarray\n_reconstruct\n"
SCALAR = b"cnumpy.core.multiarray\nscalar\n"
ENCODE = b"c_codecs\nencode\n"
TWENTY = b"(" + b"K\x00" * 19 + b"K\x01l"
"""A list of tags: the last class."""


def text(value):
    return b"X" + len(value).to_bytes(4, "little") + value


def write(path, program):
    with path.open("wb") as file:
        npy.write_array_header_1_0(file, npy.header_data_from_array_1_0(np.empty((), dtype=object)))
        file.write(b"\x80\x04" + program + b".")
    return path


@pytest.fixture
def read(tmp_path):
    return lambda program: read_pickled_tags(write(tmp_path / "tags.npy", program), VOC)


def refused(read, program, message="tags.npy: "):
    start = process_time()
    with pytest.raises(InputError, match=message) as caught:
        read(program)
    assert process_time() - start < 5
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


def test_a_program_that_is_honest(read):
    assert read(b"}" + text(b"a") + TWENTY + b"s") == {"a": (19,)}


@pytest.mark.parametrize("name", [ARRAY, SCALAR, ENCODE, DTYPE, b"cnumpy\nndarray\n"])
@pytest.mark.parametrize("slots", [False, True])
@pytest.mark.parametrize("field", [b"__defaults__", b"__kwdefaults__", b"__code__", b"__dict__"])
def test_nothing_of_ours_is_changed(read, name, slots, field):
    change = b"}" + text(field) + b"K\x07\x85s"
    state = b"N" + change + b"\x86" if slots else change
    refused(read, name + state + b"b", "wants to change what it is read with")
    for each in (pickled._scalar, pickled._Array.__init__, pickled._Array.__setstate__):
        assert each.__kwdefaults__ is None
        assert not vars(each)
    assert pickled._scalar.__defaults__ == (b"",)
    assert pickled._Array.__init__.__defaults__ is None
    assert not hasattr(pickled._Array, "state")
    assert read(b"}" + text(b"a") + TWENTY + b"s") == {"a": (19,)}


def shared(leaf, open_=b"", close=b"\x86"):
    """Containers of two that are the same, and so on: 2^60 leaves, number 60 of the memo."""
    program = leaf + b"\x94"
    for number in range(60):
        inner = b"h" + bytes([number])
        program += open_ + inner + inner + close + b"\x94"
    return program


ALL = b"h\x3c"
F4 = DTYPE + text(b"f4") + b"\x85R"
USES = {
    "key": (b"}" + ALL + TWENTY + b"s", "a key of type"),
    "value": (b"}" + text(b"a") + ALL + b"s", "expected 20 numbers"),
    "everything": (ALL, "expected a dictionary"),
    "encoding": (ENCODE + text(b"a") + ALL + b"\x86R", "not in latin1"),
    "text": (ENCODE + ALL + text(b"latin1") + b"\x86R", "not a pickled"),
    "type": (DTYPE + ALL + b"\x85R", "not a pickled"),
    "type's state": (F4 + ALL + b"b", "not a pickled|expected a dictionary"),
    "number": (SCALAR + F4 + ALL + b"\x86R", "not a pickled|a number of type"),
    "number's type": (SCALAR + ALL + b"C\x04abcd" + b"\x86R", "not a pickled"),
    "state": (b"}" + text(b"a") + ARRAY + b")R" + ALL + b"bs", "not a pickled"),
    "shape": (
        b"}" + text(b"a") + ARRAY + b")R(K\x01" + ALL + F4 + b"NC\x04abcdtbs",
        "not a pickled",
    ),
    "array's type": (
        b"}" + text(b"a") + ARRAY + b")R(K\x01)" + ALL + b"NC\x04abcdtbs",
        "not a pickled",
    ),
    "content": (b"}" + text(b"a") + ARRAY + b")R(K\x01)" + F4 + b"N" + ALL + b"tbs", "a: |not a"),
    "arguments": (ARRAY + ALL + b"R", "expected a dictionary|calls what|not a pickled"),
    "persistent id": (ALL + b"Q", "data outside the file"),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("kind", ["tuples", "lists"])
def test_a_billion_leaves_are_not_looked_at(read, use, kind):
    made = shared(b"K\x01") if kind == "tuples" else shared(b"K\x01", b"(", b"l")
    program, message = USES[use]
    refused(read, made + program, message)


def test_lists_that_hold_themselves(read):
    refused(read, b"}" + text(b"a") + b"]\x94h\x00as", "expected 20 numbers")


def test_depth(read):
    refused(read, b"}" + text(b"a") + b")" + b"\x85" * 100_000 + b"s", "expected 20 numbers")
    refused(read, b"}" + text(b"a") + b"]" * 100_000 + b"a" * 99_999 + b"s", "expected 20")


@pytest.mark.parametrize(
    "name", [b"a\x1b[2J", b"a\nb", "caf\udce9".encode("utf-8", "surrogatepass"), b" ", b"x" * 5000]
)
def test_names_that_nothing_can_have(read, name):
    refused(read, b"}" + text(name) + TWENTY + b"s", r"names no image|control characters")


@pytest.mark.parametrize("name", ["os\x1b[2J", "o" * 9999])
def test_names_of_code_are_shown_shortly(read, name):
    refused(read, b"c" + name.encode() + b"\nsystem\n", "asks for .*; nothing was executed")


@pytest.mark.parametrize("number", [b"G\x7f\xf8" + bytes(6), b"G\x7f\xf0" + bytes(6), text(b"1")])
def test_tags_are_finite_numbers(read, number):
    refused(read, b"}" + text(b"a") + TWENTY[:-3] + number + b"ls", "expected 20 numbers")


def test_it_is_a_regular_file_of_bounded_size(tmp_path):
    os.mkfifo(tmp_path / "tags.npy")
    with pytest.raises(InputError, match="not a file of at most 256 MiB"):
        read_pickled_tags(tmp_path / "tags.npy", VOC)
    with (tmp_path / "large.npy").open("wb") as file:
        file.truncate(2**36)
    with pytest.raises(InputError, match="not a file of at most 256 MiB"):
        read_pickled_tags(tmp_path / "large.npy", VOC)


SHAPE = b"{'descr': '|O', 'fortran_order': False, 'shape': ("


@pytest.mark.parametrize("header", [SHAPE + b"(" * 3000, b"[" * 9000, b"-" * 9000])
def test_headers_of_any_depth(tmp_path, header):
    file = io.BytesIO()
    file.write(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    (tmp_path / "tags.npy").write_bytes(file.getvalue() + pickle.dumps({}))
    with pytest.raises(InputError, match=r"not a pickled \.npy of tags") as caught:
        read_pickled_tags(tmp_path / "tags.npy", VOC)
    assert len(str(caught.value)) < 500
