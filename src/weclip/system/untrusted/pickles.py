"""Pickles as inert data: the one place that reads them.

A pickle is a program for a small machine with a stack. This machine knows only the instructions
that build containers, texts and numbers, and that hand them to stand-ins: functions of ours that
touch nothing but their arguments. It steps through them in Python, because the one in C takes
memory for what a file only claims to hold, and compares keys of any depth.
"""

import pickle
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, NoReturn, Protocol

MOST_READS = 10**7
"""Reads of one pickle, one or two for an instruction; the tags of all of COCO take 4 million."""

MOST_BITS = 128
"""Of a whole number; a legacy file of PyTorch starts with one of 80."""

INSTRUCTIONS = (
    "PROTO STOP MARK NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 FLOAT BINFLOAT "
    "STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE SHORT_BINUNICODE BINBYTES SHORT_BINBYTES "
    "EMPTY_LIST EMPTY_DICT EMPTY_TUPLE LIST TUPLE TUPLE1 TUPLE2 TUPLE3 APPEND APPENDS "
    "PUT BINPUT LONG_BINPUT MEMOIZE GET BINGET LONG_BINGET GLOBAL STACK_GLOBAL BINPERSID"
).split()
"""What is left to Python's own machine."""

KEYS = (str, int, bool, float, bytes, type(None))
"""Types of keys: their hashes take no time and no depth."""


class StandIn:
    """Calls a function for the pickle, which can neither look into it nor change it."""

    __slots__ = ("__call",)

    def __init__(self, call: Callable[..., object]) -> None:
        self.__call = call

    def __call__(self, *arguments: object) -> object:
        """Call the function."""
        return self.__call(*arguments)


def encoded(text: str, encoding: str) -> bytes:
    """What old pickles write in place of bytes."""
    if encoding != "latin1":
        raise ValueError("a text that is not in latin1")
    return text.encode("latin1")


ENCODED = StandIn(encoded)
"""Stands for `_codecs.encode`."""


class Source(Protocol):
    """What a pickle is read from: bytes in memory, or mapped into it."""

    def read(self, size: int, /) -> bytes:
        """At most so many bytes, fewer at the end; none are set aside for more."""
        ...

    def readline(self) -> bytes:
        """A line with its end."""
        ...


Step = Callable[[Any], None]


def _step(name: str) -> Step:
    """What Python's own machine does at an instruction."""
    step: Step = pickle._Unpickler.dispatch[getattr(pickle, name)[0]]
    return step


def _bounded(name: str) -> Step:
    """The same for one that gives a whole number, which is not endless."""
    step = _step(name)

    def checked(machine: Any) -> None:
        step(machine)
        if machine.stack[-1].bit_length() > MOST_BITS:
            raise pickle.UnpicklingError(f"a number of over {MOST_BITS} bits")

    return checked


class _Steps(dict[int, Step]):
    """What each instruction does."""

    def __missing__(self, code: int) -> NoReturn:
        raise pickle.UnpicklingError(f"the instruction {code}, which data does not need")


class Machine(pickle._Unpickler):
    """Rebuilds one pickled object.

    Args:
        file: The pickle starts here; nothing behind it is read.
        stand_in: What a global name stands for: a `StandIn`, or inert data. Raises for other names.
        external: What a persistent id stands for; by default there is none.
        encoding: Of texts that Python 2 wrote.

    What is wrong raises `pickle.UnpicklingError`, or whatever else Python's machine or a stand-in
    raises for nonsense.
    """

    read: Callable[[int], bytes]
    stack: list[Any]
    append: Callable[[Any], None]
    pop_mark: Callable[[], list[Any]]

    def __init__(
        self,
        file: Source,
        stand_in: Callable[[str, str], object],
        *,
        external: Callable[[Any], object] | None = None,
        encoding: str = "ascii",
    ) -> None:
        super().__init__(_Counted(file), encoding=encoding)
        self._stand_in, self._external = stand_in, external

    def find_class(self, module: str, name: str) -> Any:
        """What stands for a global name."""
        return self._stand_in(module, name)

    def persistent_load(self, pid: Any) -> Any:
        """What stands for an external part."""
        if self._external is None:
            raise pickle.UnpicklingError("refers to data outside the file; nothing was executed")
        return self._external(pid)

    def skip_frame(self) -> None:
        """A frame only says how many bytes to fetch at once."""
        self.read(8)

    def call(self) -> None:
        """REDUCE, NEWOBJ: a stand-in with arguments."""
        arguments = self.stack.pop()
        if not isinstance(self.stack[-1], StandIn) or type(arguments) is not tuple:
            raise pickle.UnpicklingError("calls what is no function; nothing was executed")
        self.stack[-1] = self.stack[-1](*arguments)

    def build(self) -> None:
        """BUILD: hand a state to an object of ours that takes one."""
        state = self.stack.pop()
        take = getattr(type(self.stack[-1]), "__setstate__", None)
        if take is None:
            raise pickle.UnpicklingError("wants to change what it is read with")
        take(self.stack[-1], state)

    def set_item(self) -> None:
        """SETITEM: one entry of a dictionary."""
        value, key = self.stack.pop(), self.stack.pop()
        fill(self.stack[-1], [(key, value)])

    def set_items(self) -> None:
        """SETITEMS: many."""
        items = self.pop_mark()
        fill(self.stack[-1], pairs(items))

    def dictionary(self) -> None:
        """DICT: a new one with entries."""
        made: dict[Any, Any] = {}
        fill(made, pairs(self.pop_mark()))
        self.append(made)

    dispatch: ClassVar[dict[int, Step]] = _Steps(
        {getattr(pickle, name)[0]: _step(name) for name in INSTRUCTIONS}
    )
    dispatch[pickle.INT[0]] = _bounded("INT")
    dispatch[pickle.LONG[0]] = _bounded("LONG")
    dispatch[pickle.LONG1[0]] = _bounded("LONG1")
    dispatch[pickle.FRAME[0]] = skip_frame
    dispatch[pickle.REDUCE[0]] = call
    dispatch[pickle.NEWOBJ[0]] = call
    dispatch[pickle.BUILD[0]] = build
    dispatch[pickle.SETITEM[0]] = set_item
    dispatch[pickle.SETITEMS[0]] = set_items
    dispatch[pickle.DICT[0]] = dictionary


def fill(target: object, items: Iterable[tuple[Any, Any]]) -> None:
    """Put entries into a dictionary, whose keys are plain."""
    if not isinstance(target, dict):
        raise pickle.UnpicklingError("puts entries into what is no dictionary")
    for key, value in items:
        if type(key) not in KEYS:
            raise pickle.UnpicklingError(f"a key of type {type(key).__name__}")
        target[key] = value


def pairs(items: list[Any]) -> Iterable[tuple[Any, Any]]:
    """Keys and values that lie on the stack in turn."""
    return zip(items[::2], items[1::2], strict=True)


class _Counted:
    """A file that is read so many times and no more."""

    def __init__(self, file: Source) -> None:
        self._file, self._left = file, MOST_READS

    def read(self, size: int) -> bytes:
        self._count()
        return self._file.read(size)

    def readline(self) -> bytes:
        self._count()
        return self._file.readline()

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise pickle.UnpicklingError(f"over {MOST_READS} instructions")
