"""Pickles written by hand, instruction by instruction: none changes, hangs or fills anything."""

import io
import pickle
import struct
import tracemalloc
from random import Random
from time import process_time

import pytest

from weclip.system.untrusted import pickles
from weclip.system.untrusted.pickles import KEYS, Machine, StandIn


def double(value):
    return value * 2


class Held:
    """An object that takes a state."""

    def __setstate__(self, state):
        self.state = state


NAMES = {"double": StandIn(double), "Held": StandIn(Held), "number": 7}
DOUBLE, HELD = b"cours\ndouble\n", b"cours\nHeld\n"


def stand_in(module, name):
    if module != "ours":
        raise pickle.UnpicklingError(f"asks for {module}.{name}")
    return NAMES[name]


def load(program):
    return Machine(io.BytesIO(program + b"."), stand_in).load()


def text(value):
    return b"X" + struct.pack("<I", len(value)) + value


@pytest.mark.parametrize("protocol", range(6))
def test_plain_data_is_what_it_was(protocol):
    data = {"a": [1, -2, 2**70, 1.5, None, True], "b": ("é", (), (1, 2, 3, 4)), 3: {"c": []}}
    data["again"] = data["a"]
    content = pickle.dumps(data, protocol)
    read = Machine(io.BytesIO(content), stand_in).load()
    assert read == data
    assert read["again"] is read["a"]


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_bytes(protocol):
    assert Machine(io.BytesIO(pickle.dumps(b"ab", protocol)), stand_in).load() == b"ab"


def test_a_stand_in_is_called_and_an_object_takes_its_state():
    assert load(DOUBLE + b"K\x05\x85R") == 10
    assert load(HELD + b")\x81}" + text(b"a") + b"K\x01sb").state == {"a": 1}


def test_nothing_behind_the_pickle_is_read():
    file = io.BytesIO(b"K\x05.rest")
    assert Machine(file, stand_in).load() == 5
    assert file.read() == b"rest"


STATES = {
    "attributes": b"}" + text(b"__defaults__") + b"K\x07\x85s",
    "slots": b"N}" + text(b"__defaults__") + b"K\x07\x85s\x86",
    "code": b"N}" + text(b"__code__") + b"Ns\x86",
    "both": b"}" + text(b"a") + b"K\x01s" + b"}" + text(b"__kwdefaults__") + b"}s\x86",
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(
    "what", [DOUBLE, HELD, b"}", b"]", b")", b"K\x05", text(b"a"), b"cours\nnumber\n"]
)
def test_build_changes_no_function_class_or_value(what, state):
    with pytest.raises(pickle.UnpicklingError, match="wants to change what it is read with"):
        load(what + STATES[state] + b"b")
    assert double.__defaults__ is None
    assert double.__kwdefaults__ is None
    assert not vars(double)
    assert double(2) == 4
    assert "a" not in vars(Held)


def test_a_stand_in_has_nothing_to_change():
    with pytest.raises(AttributeError):
        NAMES["double"].extra = 1
    assert not hasattr(NAMES["double"], "__dict__")


@pytest.mark.parametrize("call", [b"R", b"\x81"])
@pytest.mark.parametrize("what", [b"K\x05", text(b"a"), b"}", b"cours\nnumber\n", HELD + b")R"])
def test_only_stand_ins_are_called(what, call):
    with pytest.raises(pickle.UnpicklingError, match="calls what is no function"):
        load(what + b")" + call)


@pytest.mark.parametrize("arguments", [b"]", b"}", text(b"ab"), b"N", b"K\x01"])
def test_arguments_are_a_tuple(arguments):
    with pytest.raises(pickle.UnpicklingError, match="calls what is no function"):
        load(DOUBLE + arguments + b"R")


UNKNOWN = {
    "INST": b"(iours\ndouble\n",
    "OBJ": b"(" + DOUBLE + b"o",
    "NEWOBJ_EX": HELD + b")}\x92",
    "EXT1": b"\x82\x01",
    "EXT2": b"\x83\x01\x00",
    "EXT4": b"\x84\x01\x00\x00\x00",
    "PERSID": b"P1\n",
    "DUP": b"K\x012",
    "POP": b"K\x01K\x010",
    "EMPTY_SET": b"\x8f",
    "FROZENSET": b"(\x91",
    "LONG4": b"\x8b\xff\xff\xff\x7f1",
    "BINUNICODE8": b"\x8d" + struct.pack("<Q", 2**40) + b"a",
    "BINBYTES8": b"\x8e" + struct.pack("<Q", 2**40) + b"a",
    "BYTEARRAY8": b"\x96" + struct.pack("<Q", 2**40) + b"a",
    "NEXT_BUFFER": b"\x97",
    "nonsense": b"\xff",
}


@pytest.mark.parametrize("instruction", UNKNOWN)
def test_instructions_that_data_does_not_need(instruction):
    with pytest.raises(pickle.UnpicklingError, match=r"the instruction .*, which data does not"):
        load(UNKNOWN[instruction])


def test_persistent_ids_are_refused_where_none_are_expected():
    with pytest.raises(pickle.UnpicklingError, match="data outside the file; nothing was executed"):
        load(b"K\x01Q")


def outcome(program):
    """The exception that it ends in; None if it is read."""
    try:
        load(program)
    except Exception as error:
        return error
    return None


def refuse(program, *, most=2**20, seconds=5.0):
    """It raises, soon and without taking memory beside the program's own."""
    tracemalloc.start()
    start = process_time()
    error = outcome(program)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert error is not None
    assert not isinstance(error, MemoryError | RecursionError)
    assert peak < most
    assert process_time() - start < seconds


CLAIMS = {
    "text": b"X\xff\xff\xff\xffa",
    "bytes": b"B\xff\xff\xff\xffa",
    "text of Python 2": b"T\xff\xff\xff\x7fa",
    "frame": b"\x95" + struct.pack("<Q", 2**62),
    "memo": b"Nr\xff\xff\xff\x7fj\xfe\xff\xff\x7f",
    "memo in digits": b"Np9999999999999\ng1\n",
    "negative memo": b"Np-1\n",
}


@pytest.mark.parametrize("claim", CLAIMS)
def test_what_is_claimed_takes_no_memory(claim):
    refuse(CLAIMS[claim])


def test_a_memo_far_away_is_only_a_number():
    assert load(b"K\x05r\xff\xff\xff\x7fK\x06j\xff\xff\xff\x7f\x86") == (6, 5)


@pytest.mark.parametrize(
    "number",
    [
        b"\x8a\xff" + b"\x7f" * 255,
        b"I0x" + b"f" * 1000 + b"\n",
        b"L0x" + b"f" * 1000 + b"\n",
        b"I" + b"9" * 5000 + b"\n",
        b"L" + b"9" * 1000 + b"L\n",
    ],
)
def test_numbers_are_not_endless(number):
    refuse(number)


@pytest.mark.parametrize("key", [b")", b"]", b"}", HELD + b")R", b"cours\ndouble\n"])
@pytest.mark.parametrize("way", ["SETITEM", "SETITEMS", "DICT"])
def test_keys_are_plain(key, way):
    programs = {
        "SETITEM": b"}" + key + b"Ns",
        "SETITEMS": b"}(" + key + b"Nu",
        "DICT": b"(" + key + b"Nd",
    }
    with pytest.raises(pickle.UnpicklingError, match="a key of type"):
        load(programs[way])
    assert tuple not in KEYS


@pytest.mark.parametrize("target", [b"]", b"K\x01", HELD + b")R", HELD])
def test_entries_go_into_dictionaries(target):
    with pytest.raises(pickle.UnpicklingError, match="puts entries into what is no dictionary"):
        load(target + b"K\x00Ns")


def test_keys_without_values():
    refuse(b"}(K\x01u")


def lattice(depth):
    """A tuple of two that are the same, and so on: 2^depth leaves, number `depth` of the memo."""
    program = b"K\x01\x94"
    for number in range(depth):
        program += b"h" + bytes([number]) + b"h" + bytes([number]) + b"\x86\x94"
    return program


def test_a_key_with_a_billion_leaves_is_not_looked_at():
    assert load(lattice(60) + b"}h\x00Ns") == {1: None}
    with pytest.raises(pickle.UnpicklingError, match="a key of type tuple"):
        load(lattice(60) + b"}h\x3cNs")


def test_depth_is_no_matter():
    assert type(load(b")" + b"\x85" * 100_000)) is tuple
    refuse(b"}" + b")" + b"\x85" * 100_000 + b"Ns", most=2**26)


def test_endless_programs_end(monkeypatch):
    monkeypatch.setattr(pickles, "MOST_READS", 1000)
    assert load(b"N" * 900) is None
    with pytest.raises(pickle.UnpicklingError, match="over 1000 instructions"):
        load(b"(" * 1001)


def test_random_programs_end_in_an_exception_or_a_value():
    rng = Random(0)
    codes = [code for code in Machine.dispatch if code != ord(".")]
    for _ in range(2000):
        program = bytes(rng.choice([*codes, rng.randrange(256)]) for _ in range(30))
        assert not isinstance(outcome(program), MemoryError | RecursionError)
