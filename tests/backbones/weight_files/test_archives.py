"""TorchScript archives as graphs, as bombs, and as programs that change what reads them."""

import zipfile
from time import process_time

import pytest
import torch

from weclip.backbones.weight_files import stored
from weclip.backbones.weight_files.archives import Archive, script_tensors
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
    with Archive(file) as archive:
        archive.size = 10**6
        assert len(script_tensors(archive)) == 200
        archive.size = 10_000
        with pytest.raises(ValueError, match="larger than the file"):
            script_tensors(archive)


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
    with pytest.raises(InputError, match=r"damaged \(wants to change what it is read with"):
        read_tensors(file)
    for function in (stored.first_argument, stored.rebuild_tensor, stored.ScriptObject.__init__):
        assert function.__defaults__ is None
        assert not vars(function)
    assert not hasattr(stored.ScriptObject, "__defaults__")


def member(name, content, compression=zipfile.ZIP_STORED):
    info = zipfile.ZipInfo(name)
    info.compress_type = compression
    return info, content


def written(file, *members):
    with zipfile.ZipFile(file, "w") as archive:
        for info, content in members:
            archive.writestr(info, content)
    return file


STATE = b"\x80\x02}" + text(b"w") + tensor(b"0") + b"s."
FLOATS = member("clip/data/0", bytes(8))


def test_a_state_dict(tmp_path):
    file = written(tmp_path / "a.pt", member("clip/data.pkl", STATE), FLOATS)
    assert read_tensors(file)["w"].tolist() == [0, 0]


DEEP = b"\x80\x02" + b"]" * 1000 + b"a" * 999 + b"."
BOMB = bytes(10**7)
FAULTS = {
    "a compressed storage that is called code": (
        [
            member("clip/data.pkl", STATE.replace(b"\x01\0\0\x000", b"\x06\0\0\0code/x")),
            member("clip/data/code/x", BOMB, zipfile.ZIP_DEFLATED),
        ],
        "compressed|key is no word",
    ),
    "a compressed description that is called code": (
        [member("code/data.pkl", b"\x80\x02N." + BOMB, zipfile.ZIP_DEFLATED)],
        "is compressed, as PyTorch never does",
    ),
    "the same name twice": (
        [member("clip/data.pkl", STATE), FLOATS, FLOATS],
        "two of its members have the same name",
    ),
    "a storage elsewhere": (
        [member("clip/data.pkl", STATE.replace(b"\x01\0\0\x000", b"\x05\0\0\0../../"))],
        "damaged",
    ),
    "a storage with an absolute name": (
        [
            member("clip/data.pkl", STATE.replace(b"\x01\0\0\x000", b"\x02\0\0\0/0")),
            member("clip/data//0", bytes(8)),
        ],
        "key is no word",
    ),
    "a storage that is not there": ([member("clip/data.pkl", STATE)], "it has no data/0"),
    "big-endian numbers": (
        [member("clip/data.pkl", STATE), FLOATS, member("clip/byteorder", b"big")],
        "big-endian",
    ),
    "containers without end": ([member("clip/data.pkl", DEEP)], "too many or too deep"),
    "objects": (
        [member("clip/data.pkl", b"\x80\x02" + OBJECT + b".")],
        r"holds an object .ScriptObject.",
    ),
    "a description that is deeper down": ([member("a/b/data.pkl", STATE)], "not a weight file"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_archives_that_are_refused(tmp_path, fault):
    members, message = FAULTS[fault]
    with pytest.raises(InputError, match=message) as caught:
        read_tensors(written(tmp_path / "a.pt", *members))
    assert len(str(caught.value)) < 400


def test_containers_of_a_billion_leaves(tmp_path):
    program = b"\x80\x02K\x01q\x00"
    for number in range(15):
        inner = b"h" + bytes([number])
        program += b"(" + inner * 4 + b"tq" + bytes([number + 1])
    file = written(tmp_path / "a.pt", member("clip/data.pkl", program + b"."))
    with pytest.raises(InputError, match="too many or too deep"):
        read_tensors(file)


def test_members_that_overlap(tmp_path):
    """Two entries of the directory that point at the same bytes."""
    file = written(tmp_path / "a.pt", member("clip/data.pkl", STATE), member("clip/data/0", BOMB))
    content = file.read_bytes()
    start = content.index(b"PK\x01\x02")
    entry = content[content.rindex(b"PK\x01\x02") : content.index(b"PK\x05\x06")]
    directory = content[start : content.index(b"PK\x05\x06")]
    others = b"".join(entry.replace(b"data/0", b"data/%d" % n) for n in range(1, 9))
    end = bytearray(content[content.index(b"PK\x05\x06") :])
    end[8:12] = (10).to_bytes(2, "little") * 2
    end[12:16] = len(directory + others).to_bytes(4, "little")
    file.write_bytes(content[:start] + directory + others + end)
    with pytest.raises(InputError, match="claim more bytes than the file has"):
        read_tensors(file)


@pytest.mark.parametrize(
    "record",
    [
        tensor(b"0").replace(b"NNtQK\0(K\x02t", b"NNtQK\0(Gtttttttt" + b"t"),
        tensor(b"0").replace(b"(K\x01t", b"(K\x01K\x01t"),
        tensor(b"0").replace(b"tQK\0", b"tQJ\xff\xff\xff\xff"),
        tensor(b"0").replace(b"(K\x01t", b"(J\xff\xff\xff\xfft"),
        tensor(b"0").replace(b"tQK\0", b"tQK\x07"),
        tensor(b"0").replace(b"(K\x02t", b"K\x02"),
        tensor(b"0").replace(b"tQ", b"t"),
    ],
)
def test_records_that_fit_no_storage(tmp_path, record):
    assert record != tensor(b"0")
    program = b"\x80\x02}" + text(b"w") + record + b"s."
    file = written(tmp_path / "a.pt", member("clip/data.pkl", program), FLOATS)
    with pytest.raises(InputError, match=r"damaged|not a tensor"):
        read_tensors(file)


def test_a_shared_graph_of_wide_modules_takes_no_time(tmp_path):
    """40 levels of modules that each hold the one below ten times."""
    program = OBJECT + b"}" + text(b"w") + tensor(b"0") + b"sbq\x00"
    for number in range(40):
        inner = b"".join(text(b"%d" % i) + b"h" + bytes([number]) for i in range(10))
        program += OBJECT + b"}(" + inner + b"ubq" + bytes([number + 1])
    start = process_time()
    assert len(read_tensors(write(tmp_path / "graph.pt", program, TWO_FLOATS))) == 1
    assert process_time() - start < 1
