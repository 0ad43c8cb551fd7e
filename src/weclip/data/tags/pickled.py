"""Tags out of `cls_labels_onehot.npy` and `cls_labels.npy`, which published code trains from.

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
from weclip.system.untrusted.text import short

VOC_DIGITS = 10  # 2007_000032 without the line
COCO_DIGITS = 12
COCO_CLASSES = 80
NUMBER_TYPES = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1")


def read_pickled_tags(path: Path, classes: ClassList) -> dict[str, tuple[int, ...]]:
    """Read a pickled dictionary from image name to one number per class, over 0 where present.

    Args:
        path: A `.npy` that holds one object, as `numpy.save` writes a dictionary.
        classes: The list whose order the numbers follow.

    Returns:
        Image name -> sorted 0-based class indices, in the file's order. Numbers in place of names
        are VOC's or COCO's, see `_name`.

    Raises:
        InputError: The file is missing or damaged, is something else, asks for more than arrays,
            has another number of classes, or numbers that name no image.
    """
    try:
        with path.open("rb") as file:
            content = _read_object(file, path)
        if not isinstance(content, dict) or not content:
            raise InputError(f"{path}: expected a dictionary from image name to class numbers")
        tags: dict[str, tuple[int, ...]] = {}
        for key, value in content.items():
            name = _name(key, len(classes.names), path)
            if name in tags:
                raise InputError(f"{path}: two keys mean the image '{name}'")
            tags[name] = _present(value, classes, f"{path}: {name}")
        return tags
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


def _name(key: object, classes: int, path: Path) -> str:
    """The image that a key means: IRN and ReCAM keep VOC's names as numbers, 2007000032.

    Of COCO they keep the id, which is the end of the name: 9 is 000000000009.
    """
    if isinstance(key, str) and key.strip():
        return key
    if isinstance(key, int) and not isinstance(key, bool) and key >= 0:
        text = str(key)
        if len(text) == VOC_DIGITS and text.startswith("20"):
            return f"{text[:4]}_{text[4:]}"
        if classes == COCO_CLASSES and len(text) <= COCO_DIGITS:
            return text.zfill(COCO_DIGITS)
    raise InputError(
        f"{path}: the key {short(key)} names no image; expected names such as 2007_000032, or "
        "the numbers 2007000032 for VOC and 9 for COCO's 000000000009"
    )


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


def _scalar(dtype: _Type, content: bytes = b"") -> int:
    """A number as numpy keeps it, as IRN's keys are; whole numbers only."""
    if dtype.name not in NUMBER_TYPES or dtype.name[0] not in "iu":
        raise ValueError(f"a number of type {dtype.name}")
    return int(np.frombuffer(content, "<" + dtype.name)[0])


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
        ("numpy.core.multiarray", "scalar"): _scalar,
        ("numpy._core.multiarray", "scalar"): _scalar,
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
