"""TorchScript archives as graphs, as bombs, and as programs that change what reads them."""

import pickle
import zipfile

import pytest
import torch

from weclip.backbones.weight_files import torchscript_archive as room
from weclip.backbones.weight_files.tensors import read_tensors
from weclip.system.errors import InputError

OBJECT = b"c__torch__.M\nM\n)\x81"
"""A new `ScriptObject` on the stack."""


def tensor(key, shape=(2,)):
    """A record of a tensor of floats over the storage `key`, as instructions of a pickle."""
    sizes = b"(" + b"".join(b"K" + bytes([size]) for size in shape) + b"t"
    strides = b"(" + b"K\x01" * len(shape) + b"t"
    storage = b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0" + key + b"NNtQ"
    call = b"ctorch._utils\n_rebuild_tensor_v2\n"
    return call + b"(" + storage + b"K\0" + sizes + strides + b"tR"


def text(value):
    return b"X" + len(value).to_bytes(4, "little") + value


def write(file, program, storages=None, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(file, "w", compression) as archive:
        archive.writestr("clip/data.pkl", b"\x80\x02" + program + b".")
        archive.writestr("clip/constants.pkl", b"\x80\x02).")
        for name, content in (storages or {}).items():
            archive.writestr(f"clip/data/{name}", content)
    return file


TWO_FLOATS = {"0": torch.tensor([1.0, 2.0]).numpy().tobytes()}


def test_a_tensor_of_a_module(tmp_path):
    program = OBJECT + b"}" + text(b"w") + tensor(b"0") + b"sb"
    assert read_tensors(write(tmp_path / "a.pt", program, TWO_FLOATS))["w"].tolist() == [1, 2]


def test_shared_modules_are_visited_once(tmp_path):
    """Each of 60 modules holds the one before twice: 2^60 paths, 60 modules."""
    program = OBJECT + b"}" + text(b"w") + tensor(b"0") + b"sb" + b"q\x00"
    for number in range(60):
        inner = b"h" + bytes([number])
        program += OBJECT + b"}(" + text(b"a") + inner + text(b"b") + inner + b"ub"
        program += b"q" + bytes([number + 1])
    state = read_tensors(write(tmp_path / "graph.pt", program, TWO_FLOATS))
    assert list(state) == [".".join(["a"] * 60 + ["w"])]


def test_a_module_that_holds_itself(tmp_path):
    program = OBJECT + b"q\x00}(" + text(b"me") + b"h\x00" + text(b"w") + tensor(b"0") + b"ub"
    assert list(read_tensors(write(tmp_path / "loop.pt", program, TWO_FLOATS))) == ["w"]


def test_a_tensor_of_two_names(tmp_path):
    program = OBJECT + b"}(" + text(b"a") + tensor(b"0") + b"q\x00" + text(b"b") + b"h\x00ub"
    assert sorted(read_tensors(write(tmp_path / "tied.pt", program, TWO_FLOATS))) == ["a", "b"]


@pytest.mark.parametrize("constants", [True, False])
def test_compressed_members_are_not_expanded(tmp_path, constants):
    file = tmp_path / "bomb.pt"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("clip/data.pkl", b"\x80\x02}.")
        if constants:
            archive.writestr("clip/constants.pkl", b"\x80\x02).")
        archive.writestr("clip/data/0", bytes(10**8))
    assert file.stat().st_size < 10**6
    with pytest.raises(InputError, match="is compressed, as PyTorch never does"):
        read_tensors(file)


def test_members_that_claim_more_than_the_file(tmp_path):
    file = write(tmp_path / "claims.pt", OBJECT + b"}b", {"0": b"x" * 64, "1": b"y"})
    content = bytearray(file.read_bytes())
    place = content.rfind(b"PK\x01\x02")  # the last member's entry in the directory
    content[place + 20 : place + 28] = (2**31).to_bytes(4, "little") * 2
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"claim more bytes than the file has|damaged"):
        read_tensors(file)


def test_many_views_of_one_storage(tmp_path):
    names = b"".join(text(b"%03d" % i) + tensor(b"0", (200,)) for i in range(200))
    file = write(tmp_path / "views.pt", OBJECT + b"}(" + names + b"ub", {"0": bytes(200 * 4)})
    with zipfile.ZipFile(file) as archive:
        description = room.RestrictedUnpickler(archive.read("clip/data.pkl"), file).load()
        assert len(room.load_storages(archive, "clip/", description, 10**6)) == 200
        with pytest.raises(ValueError, match="larger than the file"):
            room.load_storages(archive, "clip/", description, 10**5)


STAND_INS = {
    "first argument": b"ctorch.jit._pickle\nbuild_intlist\n",
    "device": b"ctorch\ndevice\n",
    "tensor": b"ctorch._utils\n_rebuild_tensor_v2\n",
    "container": b"ccollections\nOrderedDict\n",
    "object": b"c__torch__.M\nM\n",
    "type": b"ctorch\nFloatStorage\n",
}


@pytest.mark.parametrize("name", STAND_INS)
@pytest.mark.parametrize("slots", [False, True])
def test_no_instruction_changes_what_it_is_read_with(tmp_path, name, slots):
    change = b"}" + text(b"__defaults__") + b"K\x07\x85s"
    state = b"(N" + change + b"t" if slots else change
    file = write(tmp_path / "evil.pt", STAND_INS[name] + state + b"b")
    with pytest.raises(InputError, match="damaged TorchScript archive"):
        read_tensors(file)
    for function in (room.first_argument, room.rebuild_tensor, room.ScriptObject.__init__):
        assert function.__defaults__ is None
        assert not vars(function)
    assert not hasattr(room.ScriptObject, "__defaults__")
    with pytest.raises(pickle.UnpicklingError):
        room.FIRST_ARGUMENT.__setstate__({})
