"""What `torch.save` wrote before PyTorch 1.6: five pickles, and behind them the numbers.

Stage 2. They are a magic number, a version, the machine, the state dict, and the keys of storages
in the order in which these follow: each as its number of elements in eight bytes, then the
elements.
"""

import pickle
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

import torch

from weclip.backbones.weight_files.stored import (
    SHARED,
    Storages,
    read_description,
    with_tensors,
)

MAGIC = 0x1950A86A20F9469CFC6C
VERSION = 1001


def read_legacy(file: Path) -> Any:
    """Plain values and tensors in plain containers.

    Raises:
        RefusedNameError: A pickle in it asks for anything else.
        UnpicklingError: It is none, or damaged; so may be said by any other exception.
    """
    with file.open("rb") as handle, mmap(handle.fileno(), 0, access=ACCESS_READ) as content:
        if read_description(content) != MAGIC or read_description(content) != VERSION:
            raise pickle.UnpicklingError("it does not start as a file of torch.save")
        if read_description(content).get("little_endian") is not True:
            raise ValueError("its numbers are in big-endian order")
        dtypes: dict[str, torch.dtype] = {}
        description = read_description(content, dtypes)
        places = _places(content, read_description(content), dtypes)

        def read(key: str) -> bytes:
            start, end = places[key]
            return content[start:end]

        return with_tensors(description, Storages(read, SHARED * len(content)))


def _places(
    content: mmap, keys: list[str], dtypes: dict[str, torch.dtype]
) -> dict[str, tuple[int, int]]:
    """First byte of each storage, and the one behind its last."""
    places: dict[str, tuple[int, int]] = {}
    for key in keys:
        count = int.from_bytes(content.read(8), "little")
        start = content.tell()
        end = start + count * dtypes[key].itemsize
        if end > len(content) or key in places:
            raise ValueError("its storages are larger than the file")
        places[key] = (start, end)
        content.seek(end)
    return places
