"""Tensors of a TorchScript archive, read without running any code in it.

Stage 2. OpenAI publishes CLIP as TorchScript: a zip whose `data.pkl` describes a tree of modules
and whose `data/<n>` files hold the numbers. A pickle is a program, so ours may only rebuild
records of tensors and inert containers; whatever else it asks for is refused. Sizes are bounded by
that of the file: PyTorch compresses code alone, and so nothing that is compressed is read.
"""

import math
import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, NoReturn
from zipfile import ZIP_STORED, ZipFile

import torch
from torch import Tensor

from weclip.system.errors import InputError
from weclip.system.untrusted.text import short

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


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """Where a tensor's numbers lie in the archive: nothing is read yet.

    Attributes:
        file: Name of the storage file under `data/`.
        dtype: Type of its elements.
        offset: Elements before the first one.
        shape: Sizes of the dimensions.
        strides: Elements from one index to the next, per dimension.
    """

    file: str
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


class StandIn:
    """Calls a function for the pickle, which can neither look into it nor change it."""

    __slots__ = ("__call",)

    def __init__(self, call: Callable[..., object]) -> None:
        self.__call = call

    def __call__(self, *arguments: object) -> object:
        """Call the function."""
        return self.__call(*arguments)

    def __setstate__(self, state: object) -> NoReturn:
        raise pickle.UnpicklingError("it wants to change what it is read with")


def require_stored(archive: ZipFile, file: Path) -> None:
    """InputError if what is read of a zip is compressed, or more bytes than its file has.

    TorchScript's code is compressed; nobody reads it.
    """
    members = [m for m in archive.infolist() if "/code/" not in m.filename]
    for member in members:
        if member.compress_type != ZIP_STORED or member.compress_size != member.file_size:
            raise InputError(
                f"{file}: its member {short(member.filename)} is compressed, as PyTorch "
                "never does; get the weights from their publisher"
            )
    if sum(member.file_size for member in members) > file.stat().st_size:
        raise InputError(
            f"{file}: its members claim more bytes than the file has; download the weights again"
        )


def read_archive(file: Path) -> dict[str, Tensor]:
    """All tensors of a TorchScript archive by dotted name, in their stored type.

    Raises:
        InputError: The archive is damaged, or its pickle asks for anything but tensors.
    """
    try:
        with ZipFile(file) as archive:
            require_stored(archive, file)
            root = next(
                n for n in archive.namelist() if n.count("/") == 1 and n.endswith("/data.pkl")
            )
            description = RestrictedUnpickler(archive.read(root), file).load()
            most = SHARED * file.stat().st_size
            return load_storages(archive, root.removesuffix("data.pkl"), description, most)
    except InputError:
        raise
    except Exception as error:  # a hostile or damaged pickle can fail in any way
        raise InputError(
            f"{file}: damaged TorchScript archive ({type(error).__name__}: {error}); "
            "download the weights again and compare their SHA-256"
        ) from error


def load_storages(archive: ZipFile, root: str, description: object, most: int) -> dict[str, Tensor]:
    """Read the numbers of every tensor in an unpickled module tree, `most` bytes of tensors."""
    storages: dict[str, Tensor] = {}
    tensors: dict[str, Tensor] = {}
    for name, stored in named_tensors(description):
        if stored.file not in storages:
            content = bytearray(archive.read(f"{root}data/{stored.file}"))
            storages[stored.file] = torch.frombuffer(content, dtype=torch.uint8)
        storage = storages[stored.file].view(stored.dtype)
        if math.prod(stored.shape) > len(storage):
            raise ValueError(f"{name} is larger than its storage")
        tensors[name] = storage.as_strided(stored.shape, stored.strides, stored.offset)
        most -= tensors[name].numel() * tensors[name].element_size()
        if most < 0:
            raise ValueError("its tensors are larger than the file")
    return tensors


def named_tensors(description: object) -> Iterator[tuple[str, StoredTensor]]:
    """Walk a graph of modules as `state_dict` does; what is no tensor is passed over.

    A module that several hold is visited once, under its first name.
    """
    seen: set[int] = set()
    waiting: list[tuple[str, object]] = [("", description)]
    while waiting:
        name, item = waiting.pop()
        if isinstance(item, StoredTensor):
            yield name, item
        elif isinstance(item, ScriptObject) and id(item) not in seen:
            seen.add(id(item))
            held = item.attributes if isinstance(item.attributes, dict) else {}
            inner = [(f"{name}.{key}" if name else str(key), each) for key, each in held.items()]
            waiting += reversed(inner)


class RestrictedUnpickler(pickle.Unpickler):
    """Unpickles records of tensors, inert objects and plain containers, and refuses the rest.

    Args:
        content: The bytes of `data.pkl`.
        file: The archive, for messages.
    """

    def __init__(self, content: bytes, file: Path) -> None:
        super().__init__(BytesIO(content))
        self.file = file

    # Only these can be called by the pickle. Neither they nor `ScriptObject` touch anything but
    # their arguments, whatever those are; and none of them can be changed, as a function could.
    def find_class(self, module: str, name: str) -> Any:
        """Translate a global name into its harmless stand-in."""
        if module == "__torch__" or module.startswith("__torch__."):
            return ScriptObject
        if module == "torch" and name in STORAGE_TYPES:
            return STORAGE_TYPES[name]
        if module == "torch.jit._pickle" and (name == "restore_type_tag" or is_list_builder(name)):
            return FIRST_ARGUMENT
        known = {
            ("torch._utils", "_rebuild_tensor_v2"): REBUILD_TENSOR,
            ("collections", "OrderedDict"): dict,
            ("torch", "device"): FIRST_ARGUMENT,
        }
        return known[module, name] if (module, name) in known else self.refuse(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> tuple[str, torch.dtype]:
        """Name and type of a storage; its numbers are read later."""
        kind, dtype, file, _, _ = pid
        if kind != "storage" or not isinstance(dtype, torch.dtype):
            self.refuse(f"the persistent object {short(kind)}")
        return str(file), dtype

    def refuse(self, wanted: str) -> NoReturn:
        """Stop reading, naming what the file asked for."""
        raise InputError(
            f"{self.file}: refused, its pickle asks for {wanted}, which weights do not need and "
            "which may run code; get the weights from their publisher"
        )


def is_list_builder(name: str) -> bool:
    """Whether `name` is one of TorchScript's typed list markers, such as `build_intlist`."""
    return name.startswith("build_") and name.endswith("list")


def first_argument(argument: object, *_: object) -> object:
    """Drop the type annotation that TorchScript puts round a container."""
    return argument


def rebuild_tensor(
    storage: tuple[str, torch.dtype],
    offset: int,
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    *_: object,
) -> StoredTensor:
    """Record a tensor; gradient flags and hooks are dropped."""
    file, dtype = storage
    return StoredTensor(file, dtype, offset, shape, strides)


FIRST_ARGUMENT = StandIn(first_argument)
REBUILD_TENSOR = StandIn(rebuild_tensor)
