"""Tags out of `cls_labels_onehot.npy`, the pickled dictionary that published code trains from.

Stage 1, only on explicit request (`weclip convert`). A pickle is a program. Ours may build
dictionaries, lists, numbers, texts, and stand-ins that keep an array's parts as inert data; it
never imports or calls anything that the file names.
"""

import pickle
import tokenize
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from weclip.data.classes import ClassList
from weclip.system.errors import InputError

NUMBER_TYPES = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1")


def read_pickled_tags(path: Path, classes: ClassList) -> dict[str, tuple[int, ...]]:
    """Read a pickled dictionary from image name to one number per class, over 0 where present.

    Args:
        path: A `.npy` that holds one object, as `numpy.save` writes a dictionary.
        classes: The list whose order the numbers follow.

    Returns:
        Image name -> sorted 0-based class indices, in the file's order.

    Raises:
        InputError: The file is missing or damaged, is something else, asks for more than arrays,
            or has another number of classes.
    """
    try:
        with path.open("rb") as file:
            content = _read_object(file, path)
        if not isinstance(content, dict) or not content:
            raise InputError(f"{path}: expected a dictionary from image name to class numbers")
        return {str(k): _present(v, classes, f"{path}: {k}") for k, v in content.items()}
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path}: tags file not found") from None
    except DAMAGE as error:
        raise InputError(f"{path}: not a pickled .npy of tags ({error})") from None


def _read_object(file: BinaryIO, path: Path) -> object:
    """The object inside a `.npy` of type object."""
    version = npy.read_magic(file)
    header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = header(file)
    if not dtype.hasobject or shape != ():
        raise InputError(f"{path}: holds an array and no dictionary from image name to tags")
    content = _Unpickler(file).load()
    return content.content()[0] if isinstance(content, _Array) else content


def _present(value: object, classes: ClassList, where: str) -> tuple[int, ...]:
    numbers = np.asarray(value.content() if isinstance(value, _Array) else value)
    if numbers.dtype.kind not in "fiub" or numbers.shape != (len(classes.names),):
        raise InputError(
            f"{where}: expected {len(classes.names)} numbers, one for each class; "
            "is this the right --classes?"
        )
    return tuple(int(index) for index in np.flatnonzero(numbers > 0))


DAMAGE = (
    pickle.UnpicklingError,
    tokenize.TokenError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    AttributeError,
    TypeError,
    OverflowError,
    MemoryError,
)
"""What reading a damaged file ends in."""


class _Type:
    """Stands for `numpy.dtype`; its name is all that is kept."""

    def __init__(self, name: str, *_: object) -> None:
        self.name = name.lstrip("|<=")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] == ">":
            raise ValueError("numbers in big-endian order")


class _Array:
    """Stands for `numpy.ndarray`: shape, type and content, looked at only by `content`."""

    state: tuple[Any, ...]

    def __init__(self, *_: object) -> None:
        """What `_reconstruct` is given says nothing."""

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.state = state

    def content(self) -> list[Any] | NDArray[Any]:
        """The content; numbers in their shape, objects in a list."""
        _, shape, dtype, _, content = self.state
        if isinstance(content, list):
            return content
        if dtype.name not in NUMBER_TYPES:
            raise ValueError(f"an array of type {dtype.name}")
        numbers = np.frombuffer(content, "<" + dtype.name)
        return numbers.reshape(shape)


def _encoded(text: str, encoding: str) -> bytes:
    """What old pickles write in place of bytes."""
    if encoding != "latin1":
        raise ValueError(f"text in {encoding}")
    return text.encode("latin1")


class _Unpickler(pickle.Unpickler):
    """Rebuilds arrays as stand-ins and refuses every other name."""

    STAND_INS = {  # noqa: RUF012 (a table)
        ("numpy", "ndarray"): _Array,
        ("numpy", "dtype"): _Type,
        ("numpy.core.multiarray", "_reconstruct"): _Array,
        ("numpy._core.multiarray", "_reconstruct"): _Array,
        ("_codecs", "encode"): _encoded,
    }

    def find_class(self, module: str, name: str) -> Any:
        """A stand-in; UnpicklingError for anything else."""
        try:
            return self.STAND_INS[module, name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"asks for '{module}.{name}', which tags do not need; nothing was executed"
            ) from None

    def persistent_load(self, _: object) -> NoReturn:
        """Tags have no external parts."""
        raise pickle.UnpicklingError("refers to data outside the file; nothing was executed")
