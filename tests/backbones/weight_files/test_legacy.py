"""Files of the old `torch.save`: read to the same numbers, and bounded by their size."""

import io
import pickle
import tracemalloc
import zipfile
from contextlib import suppress
from random import Random

import pytest
import torch
from tests.fuzz.budget import damaged
from torch import nn

from weclip.backbones.weight_files.legacy import MAGIC, VERSION, read_legacy
from weclip.backbones.weight_files.tensors import read_tensors
from weclip.system.errors import InputError

MACHINE = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"int": 4}}


def save(content, file, **options):
    torch.save(content, file, _use_new_zipfile_serialization=False, **options)
    return file


def same(one, other):
    return one.keys() == other.keys() and all(
        torch.equal(one[k], other[k]) and one[k].dtype == other[k].dtype for k in one
    )


DTYPES = (
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.float64,
    torch.int64,
    torch.uint8,
    torch.bool,
)


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_as_torch_reads_it(tmp_path, protocol):
    big = torch.randn(4, 6)
    state = {str(dtype): (torch.randn(3, 2) * 5).to(dtype) for dtype in DTYPES}
    state |= {"rows": big[1:], "turned": big.T, "scalar": torch.tensor(2.0)}
    file = save(state, tmp_path / "old.pt", pickle_protocol=protocol)
    assert same(read_tensors(file), torch.load(file, weights_only=False))


def test_a_state_dict_of_a_module_with_parameters(tmp_path):
    module = nn.Linear(2, 3)
    save(module.state_dict(), tmp_path / "state.pt")
    assert same(read_tensors(tmp_path / "state.pt"), module.state_dict())
    save(dict(module.named_parameters()), tmp_path / "parameters.pt")
    assert same(read_tensors(tmp_path / "parameters.pt"), module.state_dict())


def test_a_checkpoint_with_an_optimizer(tmp_path):
    module = nn.Linear(2, 3)
    optimizer = torch.optim.AdamW(module.parameters())
    module(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    content = {"model": module.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3}
    assert same(read_tensors(save(content, tmp_path / "old.ckpt")), module.state_dict())
    read = read_legacy(tmp_path / "old.ckpt")
    assert read["optimizer"]["param_groups"] == optimizer.state_dict()["param_groups"]


def old(description, keys=b"]X\x01\0\0\x000a", numbers=b"", machine=MACHINE):
    """A file by hand; the description and the keys are instructions."""
    start = b"".join(pickle.dumps(each, 2) for each in (MAGIC, VERSION, machine))
    return start + b"\x80\x02" + description + b"." + b"\x80\x02" + keys + b"." + numbers


def tensor(count, key=b"0"):
    """A state dict with one tensor of so many elements, that many in its storage."""
    size = pickle.dumps(count, 2)[2:-1]
    storage = b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0" + key + b"X\x03\0\0\0cpu"
    record = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + size + b"NtQK\x00"
    return b"}X\x01\0\0\0w" + record + size + b"\x85K\x01\x85\x89}tRs"


def count(number):
    return number.to_bytes(8, "little")


def test_by_hand(tmp_path):
    (tmp_path / "a.pt").write_bytes(old(tensor(2), numbers=count(2) + bytes(8)))
    assert read_tensors(tmp_path / "a.pt")["w"].tolist() == [0, 0]


FAULTS = {
    "claims much": old(tensor(2**40), numbers=count(2**40) + bytes(8)),
    "claims much in the record alone": old(tensor(2**40), numbers=count(2) + bytes(8)),
    "claims all that eight bytes can": old(tensor(2), numbers=b"\xff" * 8 + bytes(8)),
    "less than claimed": old(tensor(2), numbers=count(2) + bytes(7)),
    "no numbers": old(tensor(2)),
    "a storage that is not there": old(tensor(2, b"1"), numbers=count(2) + bytes(8)),
    "a storage twice": old(
        tensor(2), b"](X\x01\0\0\x000X\x01\0\0\x000e", count(2) + bytes(8) + count(2) + bytes(8)
    ),
    "keys that are none": old(tensor(2), b"K\x07", count(2) + bytes(8)),
    "keys that are lists": old(tensor(2), b"]]a", count(2) + bytes(8)),
    "big-endian": old(tensor(2), machine=MACHINE | {"little_endian": False}),
    "another machine": old(tensor(2), machine=3),
    "another version": pickle.dumps(MAGIC, 2) + pickle.dumps(7, 2),
    "only the start": pickle.dumps(MAGIC, 2),
    "an empty file": b"",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_sizes_are_bounded_by_the_file(tmp_path, fault):
    (tmp_path / "a.pt").write_bytes(FAULTS[fault])
    tracemalloc.start()
    with pytest.raises(InputError, match=r"a\.pt: not a weight file"):
        read_tensors(tmp_path / "a.pt")
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


@pytest.mark.parametrize(
    "call",
    [
        b"cbuiltins\nbytearray\n\x8a\x05\0\0\0\0\x10\x85R",
        b"ctorch\nFloatTensor\n\x8a\x05\0\0\0\0\x10\x85R",
        b"ctorch._utils\n_rebuild_sparse_tensor\n)R",
        b"ctorch._utils\n_rebuild_meta_tensor_no_storage\n)R",
        b"ccollections\nCounter\n)R",
    ],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_what_torch_would_call_is_not_called(tmp_path, call, zipped):
    """`torch.load(weights_only=True)` takes 64 GB for the first of these."""
    file = tmp_path / "a.pt"
    if zipped:
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("archive/data.pkl", b"\x80\x02" + call + b".")
    else:
        file.write_bytes(old(call))
    with pytest.raises(InputError, match=r"refused, its pickle asks for (builtins|torch|coll)"):
        read_tensors(file)


def test_damage_is_one_line(tmp_path):
    buffer = io.BytesIO()
    save({"a": torch.ones(3), "b": torch.zeros(2, dtype=torch.int64)}, buffer)
    whole, rng = buffer.getvalue(), Random(0)
    for _ in range(500):
        (tmp_path / "a.pt").write_bytes(damaged(rng, whole))
        with suppress(InputError):
            read_tensors(tmp_path / "a.pt")
