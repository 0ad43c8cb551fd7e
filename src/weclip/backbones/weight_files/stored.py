"""What PyTorch pickles: records of tensors, whose numbers lie elsewhere, in inert containers.

Stage 2. A pickle is a program, so ours may only build such records, plain containers and objects
that do nothing (`system/untrusted/pickles.py`). Sizes are bounded by those of the file.
"""

import math
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from weclip.system.untrusted.pickles import ENCODED, Machine, Source, StandIn, fill

STORAGE_TYPES = {
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "ByteStorage": torch.uint8,
    "CharStorage": torch.int8,
    "ShortStorage": torch.int16,
    "IntStorage": torch.int32,
    "LongStorage": torch.int64,
    "BoolStorage": torch.bool,
}

SHARED = 2
"""Tensors may take this many times the bytes of the file, where several view the same numbers."""

MOST_DEPTH, MOST_VALUES = 16, 10**6
"""Of containers in a checkpoint; shared ones are counted wherever they appear."""

Storage = tuple[str, torch.dtype]
"""Key and type of what holds numbers."""


class RefusedNameError(pickle.UnpicklingError):
    """A pickle asks for something that weights do not need; `name` says for what, printably."""

    def __init__(self, name: str) -> None:
        self.name = ascii(name[:80])[1:-1]
        super().__init__(f"its pickle asks for {self.name}")


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """Where a tensor's numbers lie: nothing is read yet.

    Attributes:
        key: Of its storage.
        dtype: Type of its elements.
        offset: Elements before the first one.
        shape: Sizes of the dimensions.
        strides: Elements from one index to the next, per dimension.
    """

    key: str
    dtype: torch.dtype
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class ScriptObject:
    """Stands for any `__torch__` class: keeps what it is given and does nothing."""

    def __init__(self) -> None:
        self.attributes: object = {}

    def __setstate__(self, state: object) -> None:
        self.attributes = state


class Entries(dict[Any, Any]):
    """Stands for `OrderedDict`; what a module notes on its state dict is passed over."""

    def __init__(self, items: Any = ()) -> None:
        super().__init__()
        fill(self, items)

    def __setstate__(self, _: object) -> None:
        """Do nothing."""


class Storages:
    """Numbers by key; each is read once.

    Args:
        read: The bytes of a storage.
        most: Bytes that all tensors may take.
    """

    def __init__(self, read: Callable[[str], bytes], most: int) -> None:
        self._read, self._left = read, most
        self._content: dict[str, Tensor] = {}

    def tensor(self, stored: StoredTensor) -> Tensor:
        """A tensor out of its storage.

        Raises:
            ValueError, RuntimeError: It is larger than its storage, or all are than the file.
        """
        if stored.key not in self._content:
            content = bytearray(self._read(stored.key))
            self._content[stored.key] = (
                torch.frombuffer(content, dtype=torch.uint8) if content else torch.empty(0).byte()
            )
        storage = self._content[stored.key].view(stored.dtype)
        if math.prod(stored.shape) > len(storage):
            raise ValueError("a tensor is larger than its storage")
        tensor = storage.as_strided(stored.shape, stored.strides, stored.offset)
        self._left -= tensor.numel() * tensor.element_size()
        if self._left < 0:
            raise ValueError("its tensors are larger than the file")
        return tensor


def read_description(file: Source, storages: dict[str, torch.dtype] | None = None) -> Any:
    """Unpickle records of tensors in containers.

    Args:
        file: The pickle.
        storages: Gets the types of the storages, by key.

    Raises:
        RefusedNameError: The pickle asks for anything else.
        Exception: It is damaged; what then comes can be any.
    """
    found: dict[str, torch.dtype] = {} if storages is None else storages

    def storage(pid: Any) -> Storage:
        kind, dtype, key, *rest = pid
        plain = type(kind) is str and type(key) is str and isinstance(dtype, torch.dtype)
        if not plain or kind != "storage" or rest[2:] not in ([], [None]):  # [None]: no old view
            raise RefusedNameError("another persistent object than a storage")
        if found.setdefault(key, dtype) != dtype:
            raise ValueError("a storage of two types")
        return key, dtype

    return Machine(file, stand_in, external=storage, encoding="utf-8").load()


def stand_in(module: str, name: str) -> StandIn | torch.dtype:
    """The harmless stand-in for a global name."""
    if module == "__torch__" or module.startswith("__torch__."):
        return SCRIPT_OBJECT
    if module == "torch" and name in STORAGE_TYPES:
        return STORAGE_TYPES[name]
    if module == "torch.jit._pickle" and (name == "restore_type_tag" or is_list_builder(name)):
        return FIRST_ARGUMENT
    if (module, name) not in NAMES:
        raise RefusedNameError(f"{module}.{name}")
    return NAMES[module, name]


def is_list_builder(name: str) -> bool:
    """Whether `name` is one of TorchScript's typed list markers, such as `build_intlist`."""
    return name.startswith("build_") and name.endswith("list")


def first_argument(argument: object, *_: object) -> object:
    """Drop what stands beside it: the type of a container, whether a parameter is trained."""
    return argument


def rebuild_tensor(
    storage: Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: object
) -> StoredTensor:
    """Record a tensor; gradient flags and hooks are dropped."""
    key, dtype = storage
    numbers = (offset, *shape, *strides)
    if len(shape) > 64 or len(shape) != len(strides) or any(type(n) is not int for n in numbers):
        raise ValueError("a tensor of no shape")
    if not isinstance(key, str) or not isinstance(dtype, torch.dtype) or min(numbers) < 0:
        raise ValueError("a tensor of no storage")
    return StoredTensor(key, dtype, offset, tuple(shape), tuple(strides))


SCRIPT_OBJECT = StandIn(ScriptObject)
FIRST_ARGUMENT = StandIn(first_argument)
REBUILD_TENSOR = StandIn(rebuild_tensor)
NAMES = {
    ("torch._utils", "_rebuild_tensor"): REBUILD_TENSOR,
    ("torch._utils", "_rebuild_tensor_v2"): REBUILD_TENSOR,
    ("torch._utils", "_rebuild_parameter"): FIRST_ARGUMENT,
    ("torch", "Size"): FIRST_ARGUMENT,
    ("torch", "device"): FIRST_ARGUMENT,
    ("collections", "OrderedDict"): StandIn(Entries),
    ("_codecs", "encode"): ENCODED,
}
"""What stands for the names that state dicts and checkpoints need."""


def with_tensors(description: object, storages: Storages) -> Any:
    """A copy of plain containers, with tensors in place of their records.

    Raises:
        ValueError: They are too deep, too many, or hold something else.
    """
    left = MOST_VALUES

    def copy(item: object, depth: int) -> object:
        nonlocal left
        left -= 1
        if left < 0 or depth > MOST_DEPTH:
            raise ValueError("its containers are too many or too deep")
        if isinstance(item, StoredTensor):
            return storages.tensor(item)
        if isinstance(item, dict):
            return {key: copy(value, depth + 1) for key, value in item.items()}
        if isinstance(item, list):
            return [copy(value, depth + 1) for value in item]
        if isinstance(item, tuple):
            return tuple(copy(value, depth + 1) for value in item)
        if isinstance(item, str | int | float | bytes | None):
            return item
        raise ValueError(f"it holds an object ({type(item).__name__})")

    return copy(description, 0)
