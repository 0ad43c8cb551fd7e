"""safetensors files whose header claims what the file does not hold."""

import json
import os
from time import process_time

import pytest
import torch
from safetensors.torch import save

from weclip.backbones.weight_files.safe import MOST_HEADER
from weclip.backbones.weight_files.tensors import read_tensors
from weclip.system.errors import InputError


def write(file, header, numbers=bytes(8), claimed=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    size = len(text) if claimed is None else claimed
    file.write_bytes(size.to_bytes(8, "little") + text + numbers)
    return file


def tensor(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"w": {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}}


def test_by_hand(tmp_path):
    assert read_tensors(write(tmp_path / "a.safetensors", tensor()))["w"].tolist() == [0, 0]


FAULTS = {
    "a shape beyond the numbers": tensor(shape=(2**40,)),
    "a shape that overflows": tensor(shape=(2**32, 2**32)),
    "offsets beyond the file": tensor(shape=(2**20,), offsets=(0, 2**22)),
    "offsets backwards": tensor(offsets=(8, 0)),
    "numbers that nobody owns": tensor(shape=(1,), offsets=(0, 4)),
    "a negative size": tensor(shape=(-2,)),
    "an unknown type": tensor(dtype="F31"),
    "two tensors on the same bytes": tensor() | {"v": tensor()["w"]},
    "no shape": {"w": {"dtype": "F32", "data_offsets": [0, 8]}},
    "no object": {"w": 3},
    "metadata that are no texts": tensor() | {"__metadata__": {"a": 1}},
    "no JSON": b"{" + b"[" * 100_000,
    "depth": b'{"a":' * 50_000,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_headers_that_do_not_fit(tmp_path, fault):
    with pytest.raises(InputError, match="damaged") as caught:
        read_tensors(write(tmp_path / "a.safetensors", FAULTS[fault]))
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("claimed", [MOST_HEADER + 1, 2**40, 2**63, 2**64 - 1])
def test_headers_of_any_length(tmp_path, claimed):
    start = process_time()
    with pytest.raises(InputError, match=r"damaged .its header is over 16 MiB"):
        read_tensors(write(tmp_path / "a.safetensors", tensor(), claimed=claimed))
    assert process_time() - start < 1


def test_a_header_that_is_longer_than_the_file(tmp_path):
    with pytest.raises(InputError, match="damaged"):
        read_tensors(write(tmp_path / "a.safetensors", tensor(), claimed=MOST_HEADER))


def test_special_files_are_no_weights(tmp_path):
    os.mkfifo(tmp_path / "a.safetensors")
    with pytest.raises(InputError, match=r"cannot be read .no regular file"):
        read_tensors(tmp_path / "a.safetensors")


@pytest.mark.parametrize("name", ["x" * 201, "\x1b[2J", "a\nb"])
def test_names_of_tensors_can_be_shown(tmp_path, name):
    (tmp_path / "a.safetensors").write_bytes(save({name: torch.zeros(1)}))
    with pytest.raises(InputError, match="the name of a tensor is no text of up to 200") as caught:
        read_tensors(tmp_path / "a.safetensors")
    assert str(caught.value).isprintable()
