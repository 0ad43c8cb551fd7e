"""Which files hold the weights that a path names: one file, a folder, or several parts.

Stage 2. Hugging Face cuts large models into parts and lists them in an index; OpenCLIP gives its
files names of their own.
"""

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from torch import Tensor

from weclip.backbones.weight_files.tensors import read_tensors
from weclip.system.errors import InputError
from weclip.system.files import sha256_of
from weclip.system.untrusted.documents import parse_json
from weclip.system.untrusted.files import read_bytes
from weclip.system.untrusted.text import short

INDEX = ".index.json"
NAMES = (
    "model.safetensors",
    f"model.safetensors{INDEX}",
    "open_clip_model.safetensors",
    f"open_clip_model.safetensors{INDEX}",
    "pytorch_model.bin",
    f"pytorch_model.bin{INDEX}",
    "open_clip_pytorch_model.bin",
)
"""Weights in a folder, first to last choice: the same numbers, safer formats first."""

MAX_JSON = 2**26  # bytes; tokenizers have some millions
SUFFIXES = (".safetensors", ".pt", ".pth", ".bin", ".ckpt")
PART = re.compile(r"(.+)-\d{5}-of-\d{5}(\.\w+)")


@dataclass(frozen=True)
class WeightFiles:
    """Where weights lie.

    Attributes:
        file: The weight file, or the index of its parts: what messages name.
        parts: The files that hold tensors; `file` alone where it is no index.
    """

    file: Path
    parts: tuple[Path, ...]

    def read(self) -> dict[str, Tensor]:
        """All tensors by name, on the CPU, in their stored type.

        Raises:
            InputError: As `read_tensors`, or two parts hold the same tensor.
        """
        state: dict[str, Tensor] = {}
        for part in self.parts:
            tensors = read_tensors(part)
            if again := sorted(state.keys() & tensors.keys()):
                raise InputError(f"{part}: holds {again[0]} once more; download all parts again")
            state |= tensors
        return state

    def sha256(self) -> str:
        """SHA-256 of the file; of several parts, that of what `sha256sum` prints of them."""
        if len(self.parts) == 1:
            return _sha256(self.parts[0])
        lines = [f"{_sha256(part)}  {part.name}\n" for part in self.parts]
        return hashlib.sha256("".join(lines).encode()).hexdigest()


def _sha256(file: Path) -> str:
    """SHA-256 of a file, which a command may ask for twice."""
    try:
        facts = file.stat()
    except OSError:
        return sha256_of(file)  # says so
    return _sha256_as_it_is(file.absolute(), facts.st_ino, facts.st_size, facts.st_mtime_ns)


@lru_cache(maxsize=64)
def _sha256_as_it_is(file: Path, *facts: int) -> str:
    return sha256_of(file)


def find_weights(path: Path) -> WeightFiles:
    """The weights that a path names.

    Args:
        path: A weight file, an index of parts, or a folder with one of `NAMES`.

    Raises:
        InputError: Nothing there, no weights in the folder, or a part is missing.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; give the path of weights")
    file = first_of(path) if path.is_dir() else path
    if not file.is_file():
        raise InputError(f"{file}: not a regular file; give a weight file or a folder of weights")
    if file.name.endswith(INDEX):
        return WeightFiles(file, listed_parts(file))
    if part := PART.fullmatch(file.name):
        index = file.with_name(f"{part[1]}{part[2]}{INDEX}")
        raise InputError(f"{file}: one part of several; give {index.name}, or the folder")
    return WeightFiles(file, (file,))


def first_of(folder: Path) -> Path:
    """The first of `NAMES` that a folder has."""
    for name in NAMES:
        if (folder / name).is_file():
            return folder / name
    others = sorted(f.name for f in folder.iterdir() if f.suffix in SUFFIXES)
    way_out = f"give one of its files: {', '.join(others[:5])}" if others else snapshot(folder)
    raise InputError(
        f"{folder}: the folder has no model.safetensors, pytorch_model.bin or OpenCLIP weights; "
        f"{way_out}"
    )


def snapshot(folder: Path) -> str:
    """What to give instead of a folder without weights; the inner one of Hugging Face's cache."""
    inner = sorted(f for f in folder.glob("snapshots/*") if f.is_dir())
    return f"give {inner[-1]}" if inner else "give a Hugging Face folder or a weight file"


def listed_parts(index: Path) -> tuple[Path, ...]:
    """The files that an index names, which lie beside it, in the order of their names."""
    weight_map = read_object(index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise InputError(f"{index}: no index of weights (weight_map is missing); download it again")
    names = list(weight_map.values())
    if odd := [n for n in names if not (isinstance(n, str) and n and Path(n).name == n)]:
        raise InputError(
            f"{index}: weight_map names {short(odd[0])}, which is no file beside it; download the "
            "index again"
        )
    parts = tuple(index.with_name(name) for name in sorted(set(names)))
    if missing := [part.name for part in parts if not part.is_file()]:
        raise InputError(
            f"{index}: {len(missing)} of {len(parts)} parts are missing, {missing[0]} first; "
            "download them into the same folder"
        )
    return parts


def read_object(file: Path) -> dict[str, Any]:
    """A JSON object beside weights.

    Raises:
        InputError: It is missing, not valid JSON, or it is not an object.
    """
    try:
        content = parse_json(read_bytes(file, "file", MAX_JSON), str(file))
    except InputError as error:
        raise InputError(f"{error}; download it again") from None
    if not isinstance(content, dict):
        raise InputError(f"{file}: holds {short(content)}, not an object of JSON")
    return content
