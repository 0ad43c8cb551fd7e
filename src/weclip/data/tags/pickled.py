"""Tags out of `cls_labels_onehot.npy` and `cls_labels.npy`, which published code trains from.

Stage 1, only on explicit request (`weclip convert`). A pickle is a program. Ours may build
dictionaries, lists, numbers, texts, and stand-ins that keep an array's parts as inert data; it
never imports or calls anything that the file names (`system/untrusted/pickles.py`).
"""

import pickle
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from weclip.data.classes import ClassList
from weclip.data.images.file_names import require_usable
from weclip.system.errors import InputError
from weclip.system.untrusted.pickles import ENCODED, Machine, StandIn
from weclip.system.untrusted.text import one_line, short

VOC_DIGITS = 10  # 2007_000032 without the line
COCO_DIGITS = 12
COCO_CLASSES = 80
MOST_BYTES = 2**28  # COCO's whole training set takes 40 million
LONGEST_NAME = 1000
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
        content = _read_object(BytesIO(_bytes_of(path)), path)
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
    except Exception as error:  # a hostile or damaged pickle can fail in any way
        reason = one_line(error) or type(error).__name__
        raise InputError(f"{path}: not a pickled .npy of tags ({reason})") from None


def _bytes_of(path: Path) -> bytes:
    if not path.exists():
        raise InputError(f"{path}: tags file not found")
    if not path.is_file() or path.stat().st_size > MOST_BYTES:
        raise InputError(f"{path}: not a file of at most {MOST_BYTES // 2**20} MiB; give the tags")
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None


def _read_object(file: BytesIO, path: Path) -> object:
    """The object inside a `.npy` of type object."""
    version = npy.read_magic(file)
    header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = header(file)
    if not dtype.hasobject or shape != ():
        raise InputError(f"{path}: holds an array and no dictionary from image name to tags")
    content = Machine(file, _stand_in).load()
    return content.content()[0] if isinstance(content, _Array) else content


def _name(key: object, classes: int, path: Path) -> str:
    """The image that a key means: IRN and ReCAM keep VOC's names as numbers, 2007000032.

    Of COCO they keep the id, which is the end of the name: 9 is 000000000009.
    """
    if isinstance(key, str) and key.strip() and len(key) <= LONGEST_NAME:
        require_usable(key, str(path))
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
    content = value.content() if isinstance(value, _Array) else value
    if isinstance(content, list) and all(type(each) in (int, float, bool) for each in content):
        content = np.array(content, np.float64)
    if isinstance(content, np.ndarray) and content.shape == (len(classes.names),):
        numbers: NDArray[Any] = content
        if np.isfinite(numbers).all():
            return tuple(int(index) for index in np.flatnonzero(numbers > 0))
    raise InputError(
        f"{where}: expected {len(classes.names)} numbers, one for each class; "
        "is this the right --classes?"
    )


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


NAMES = {
    ("numpy", "ndarray"): StandIn(_Array),
    ("numpy", "dtype"): StandIn(_Type),
    ("numpy.core.multiarray", "_reconstruct"): StandIn(_Array),
    ("numpy._core.multiarray", "_reconstruct"): StandIn(_Array),
    ("numpy.core.multiarray", "scalar"): StandIn(_scalar),
    ("numpy._core.multiarray", "scalar"): StandIn(_scalar),
    ("_codecs", "encode"): ENCODED,
}
"""What stands for the names of numpy."""


def _stand_in(module: str, name: str) -> StandIn:
    """A stand-in; UnpicklingError for a name that is not in `NAMES`."""
    if (module, name) not in NAMES:
        raise pickle.UnpicklingError(
            f"asks for '{module[:60]}.{name[:60]}', which tags do not need; nothing was executed"
        )
    return NAMES[module, name]
