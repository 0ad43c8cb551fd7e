"""The zips of PyTorch: TorchScript archives, and what `torch.save` writes.

Stage 2. `data.pkl` describes a tree of modules, or containers; the files `data/<key>` hold the
numbers. OpenAI publishes CLIP as TorchScript. Nothing that is compressed is read, since PyTorch
compresses code alone.
"""

import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import ZIP_STORED, ZipFile

from torch import Tensor

from weclip.backbones.weight_files.stored import (
    SHARED,
    ScriptObject,
    Storages,
    StoredTensor,
    read_description,
    with_tensors,
)

KEY = re.compile(r"\w{1,40}")
ROOT = re.compile(r"([^/]+/)data\.pkl")


class NoArchiveError(ValueError):
    """A zip, but none of PyTorch."""


class Archive:
    """An open zip of PyTorch, of which only stored members are read.

    Args:
        file: The zip.

    Raises:
        NoArchiveError: It is of something else.
        ValueError: What would be read of it is compressed, there twice, or more than the file.
        BadZipFile: It is damaged.
    """

    def __init__(self, file: Path | BinaryIO) -> None:
        self._zip = ZipFile(file)
        members = self._zip.infolist()
        roots = [found[1] for m in members if (found := ROOT.fullmatch(m.filename))]
        if not roots:
            raise NoArchiveError("it has no data.pkl")
        self._root = roots[0]
        self._members = {m.filename: m for m in members}
        read = [m for m in members if not m.filename.startswith(f"{self._root}code/")]
        if any(m.compress_type != ZIP_STORED or m.compress_size != m.file_size for m in read):
            raise ValueError("something in it is compressed, as PyTorch never does")
        if len({m.filename for m in members}) < len(members):
            raise ValueError("two of its members have the same name")
        self.size = self._zip.fp.seek(0, 2) if self._zip.fp else 0
        if sum(m.file_size for m in read) > self.size:
            raise ValueError("its members claim more bytes than the file has")
        if self._root + "byteorder" in self._members and self._read("byteorder") != b"little":
            raise ValueError("its numbers are in big-endian order")

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    @property
    def is_script(self) -> bool:
        """Whether it is TorchScript, which has constants."""
        return self._root + "constants.pkl" in self._members

    def description(self) -> Any:
        """Its records of tensors in containers or modules, as `read_description`."""
        return read_description(BytesIO(self._read("data.pkl")))

    def storages(self) -> Storages:
        """Its numbers."""
        return Storages(self._storage, SHARED * self.size)

    def _storage(self, key: str) -> bytes:
        if not KEY.fullmatch(key):
            raise ValueError("a storage whose key is no word")
        return self._read(f"data/{key}")

    def _read(self, name: str) -> bytes:
        if self._root + name not in self._members:
            raise ValueError(f"it has no {name}")
        return self._zip.read(self._members[self._root + name])


def read_saved(file: Path | BinaryIO) -> Any:
    """What `torch.save` wrote into a zip: plain values and tensors in plain containers.

    Raises:
        RefusedNameError: Its pickle asks for anything else.
        Exception: It is damaged; what then comes can be any.
    """
    with Archive(file) as archive:
        return with_tensors(archive.description(), archive.storages())


def script_tensors(archive: Archive) -> dict[str, Tensor]:
    """All tensors of a TorchScript archive by dotted name, in their stored type.

    Raises:
        As `read_saved`.
    """
    storages = archive.storages()
    tensors = {}
    for name, stored in named_tensors(archive.description()):
        try:
            tensors[name] = storages.tensor(stored)
        except (ValueError, RuntimeError) as error:
            raise ValueError(f"{ascii(name[:80])[1:-1]}: {error}") from None
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
