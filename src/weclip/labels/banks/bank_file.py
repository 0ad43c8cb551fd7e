"""A bank as one safetensors file: features in half precision, and what they were made with.

Stage 3. Nothing in the file can execute; all of it is checked before use.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import save
from torch import Tensor

from weclip.backbones.named import backbone_of
from weclip.backbones.weight_files.safe import read_safetensors
from weclip.labels.banks.feature_bank import DIGEST_BYTES, FeatureBank
from weclip.system.errors import InputError
from weclip.system.files import what_it_is, write_atomically
from weclip.system.untrusted.documents import parse_json
from weclip.system.untrusted.text import one_line, printable

FORMAT = "weclip-bank-1"
HEADER = "weclip-bank"
UNIT = 1e-2
"""How far a key's length may be from 1; half precision is off by less."""


def save_bank(path: Path, bank: FeatureBank) -> None:
    """Write a bank; it appears whole or not at all."""
    values = bank.values if bank.values.dim() == 1 else bank.values.half()
    names = "\n".join(bank.names).encode()
    tensors = {
        "keys": bank.keys.half(),
        "values": values,
        "image": bank.image,
        "names": torch.from_numpy(np.frombuffer(names, np.uint8).copy()),
        "digests": torch.from_numpy(np.frombuffer(b"".join(bank.digests), np.uint8).copy()),
    }
    encoders = {name: each._asdict() for name, each in bank.encoders.items()}
    # One entry: several are written in an order that varies.
    header = {"format": FORMAT, "encoders": encoders, "made": bank.made, "regions": bank.regions}
    metadata = {HEADER: json.dumps(header)}
    content = save({n: t.cpu().contiguous() for n, t in tensors.items()}, metadata=metadata)
    write_atomically(path, lambda temporary: temporary.write_bytes(content))


def read_bank(path: Path, *, most_rows: int, key: str) -> FeatureBank:
    """Read a bank.

    Args:
        path: The file.
        most_rows: How many rows it may have.
        key: The key that says so, for the message.

    Raises:
        InputError: No such file, no bank, a damaged one, or one of more rows.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such bank; give a file of weclip memory")
    try:
        tensors, metadata = read_safetensors(path)
    except (SafetensorError, OSError) as error:
        reason = what_it_is(path) or one_line(error)
        raise InputError(f"{path}: not a safetensors file ({reason})") from None
    header = _header(metadata, path)
    if header.get("format") != FORMAT:
        found = one_line(repr(header.get("format")))
        raise InputError(
            f"{path}: not a bank (its format is {found}, not '{FORMAT}'); give a file of weclip "
            "memory"
        )
    try:
        bank = _bank_of(tensors, header)
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        reason = one_line(str(error) or repr(error))
        raise InputError(f"{path}: damaged bank ({reason}); make it again") from None
    if len(bank) > most_rows:
        raise InputError(
            f"{path}: {len(bank)} rows, and {key}={most_rows} are allowed; raise {key}"
        )
    return bank


def _bank_of(tensors: dict[str, Tensor], header: dict[str, Any]) -> FeatureBank:
    """The bank of a file's content; ValueError and the like where it is none."""
    keys, values, image = tensors["keys"], tensors["values"], tensors["image"]
    rows = len(keys)
    _require(keys.dim() == 2 and keys.dtype == torch.float16, "keys")
    _require(bool(((keys.float().norm(dim=1) - 1).abs() < UNIT).all()), "lengths of keys")
    ids = values.dim() == 1 and values.dtype == torch.uint8
    features = values.dim() == 2 and values.dtype == torch.float16
    _require(len(values) == rows and (ids or features), "values")
    _require(ids or bool(values.isfinite().all()), "numbers of values")
    names = _text(tensors["names"]).split("\n")
    _require(image.dtype == torch.int32 and tuple(image.shape) == (rows,), "images of rows")
    _require(bool(((image >= 0) & (image < len(names))).all()), "images of rows")
    digests = _bytes(tensors["digests"])
    _require(len(digests) == DIGEST_BYTES * len(names), "digests")
    starts = range(0, len(digests), DIGEST_BYTES)
    return FeatureBank(
        keys,
        values,
        image,
        names,
        [digests[start : start + DIGEST_BYTES] for start in starts],
        {printable(name): backbone_of(each) for name, each in header["encoders"].items()},
        printable(header["made"]),
        _record(header["regions"]),
    )


def _header(metadata: dict[str, str], path: Path) -> dict[str, Any]:
    """What a file says of itself; empty where it is none of ours."""
    header = parse_json(metadata.get(HEADER, "{}"), str(path))
    return header if isinstance(header, dict) else {}


def _record(record: Any) -> dict[str, Any]:
    """What a file says of its regions: words, numbers, and mappings of them."""
    return {
        printable(key): _record(value)
        if isinstance(value, dict)
        else (printable(value) if isinstance(value, str) else value)
        for key, value in record.items()
    }


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(f"its {what} are wrong")


def _bytes(tensor: Tensor) -> bytes:
    _require(tensor.dtype == torch.uint8 and tensor.dim() == 1, "names or digests")
    return tensor.numpy().tobytes()


def _text(tensor: Tensor) -> str:
    return "\n".join(printable(name) for name in _bytes(tensor).decode().split("\n"))
