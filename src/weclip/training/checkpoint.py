"""The state of a run on disk: everything that the next step depends on.

Stage 5. Frozen weights are not part of it. Batches and dropout need no state: both are functions
of the seed and the step. A file is one line with the SHA-256 of what follows it, a PyTorch archive.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import torch
from torch import Tensor

from weclip.backbones.weight_files.archives import read_saved
from weclip.backbones.weight_files.stored import RefusedNameError
from weclip.system.errors import MADE_EARLIER, InputError
from weclip.system.files import remove_temporaries, what_it_is, write_atomically
from weclip.system.untrusted.files import read_bytes
from weclip.system.untrusted.text import one_line

MAX_CHECKPOINT = 2**35
"""Bytes; a decoder and its optimiser have a thousandth of that."""

MAGIC = b"weclip-checkpoint-3 "
EARLIER = re.compile(rb"weclip-checkpoint-\d+ ")
BEST = "best.ckpt"
NO_CHECKPOINT = "not a readable weclip checkpoint"
_STEP = re.compile(r"step-(\d+)\.ckpt")


@dataclass(frozen=True)
class Checkpoint:
    """A run between two steps.

    Attributes:
        step: The step to run next.
        trained: State dict of what the method trains.
        optimizer: State dict of the optimiser.
        scaler: State dict of the loss scaling of fp16; empty at other precisions.
        config: Resolved configuration as YAML.
        inputs: Digests of what the run reads, by what it is.
        best_score: Best score so far; None before the first evaluation.
        evaluated_step: Number of steps at the last evaluation; 0 before the first.
    """

    step: int
    trained: dict[str, Tensor]
    optimizer: dict[str, Any]
    scaler: dict[str, Any]
    config: str
    inputs: dict[str, str]
    best_score: float | None
    evaluated_step: int


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; the file appears whole or not at all."""
    write_checked(path, vars(checkpoint))


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint onto the CPU.

    Raises:
        InputError: No such file, or not a whole checkpoint of ours. No code in it is executed.
    """
    return parse_record(path, Checkpoint, NO_CHECKPOINT)


Loaded = TypeVar("Loaded")


def parse_record(path: Path, kind: Callable[..., Loaded], complaint: str) -> Loaded:
    """Read a file of `write_checked` into the dataclass that it was made of.

    Args:
        path: The file.
        kind: The dataclass; each field is checked against its type.
        complaint: What is said of a file that does not fit.

    Raises:
        InputError: As `read_checked`; or a field is missing, unknown or of the wrong type.
    """
    content = read_checked(path)
    fields = get_type_hints(kind)
    if not isinstance(content, dict) or content.keys() != fields.keys():
        raise InputError(f"{path}: {complaint} (it holds other things)")
    for name, type_ in fields.items():
        if not _is_a(content[name], type_):
            raise InputError(f"{path}: {complaint} ('{name}' is of the wrong type)")
    return kind(**content)


def _is_a(value: object, type_: Any) -> bool:
    """Whether a value is of a type such as `int`, `float | None`, `list[str]`, `dict[str, Any]`.

    >>> _is_a({"a": 1}, dict[str, int]), _is_a(True, int), _is_a(None, float | None)
    (True, False, True)
    """
    origin, inner = get_origin(type_), get_args(type_)
    if type_ is Any:
        return True
    if origin in (Union, UnionType):
        return any(_is_a(value, each) for each in inner)
    if origin is dict:
        return isinstance(value, dict) and all(
            _is_a(k, inner[0]) and _is_a(v, inner[1]) for k, v in value.items()
        )
    if origin is list:
        return isinstance(value, list) and all(_is_a(each, inner[0]) for each in value)
    return isinstance(value, type_) and (type_ is bool or not isinstance(value, bool))


def step_path(folder: Path, step: int) -> Path:
    """Where the checkpoint after a number of steps lies."""
    return folder / f"step-{step:09d}.ckpt"


def saved_steps(folder: Path) -> list[int]:
    """Numbers of steps that there are checkpoints of, rising; those of `BEST` apart."""
    names = (_STEP.fullmatch(path.name) for path in folder.glob("step-*.ckpt"))
    return sorted(int(name[1]) for name in names if name)


def latest_checkpoint(folder: Path) -> tuple[Checkpoint | None, list[str]]:
    """The newest checkpoint that is whole.

    Returns:
        The checkpoint, None if the folder has none; and what is wrong with newer ones.

    Raises:
        InputError: There are checkpoints, and none is whole.
    """
    damaged: list[str] = []
    for step in reversed(saved_steps(folder)):
        try:
            return load_checkpoint(step_path(folder, step)), damaged
        except InputError as error:
            damaged.append(str(error))
    if damaged:
        raise InputError(f"{damaged[0]}; none before it is whole; start anew in another --out")
    return None, []


def keep_checkpoints(folder: Path, *, until: int, count: int) -> None:
    """Delete checkpoints after step `until`, all but the last `count` before, and what a kill left.

    Args:
        folder: Folder of checkpoints; need not exist.
        until: Steps that the run has come to; later ones belong to a future that was given up.
        count: How many stay.
    """
    steps = saved_steps(folder)
    kept = [step for step in steps if step <= until][-count:]
    for step in steps:
        if step not in kept:
            step_path(folder, step).unlink(missing_ok=True)
    remove_temporaries(folder)


def write_checked(path: Path, content: dict[str, Any]) -> None:
    """Write tensors and plain values with their checksum; the file appears whole or not at all."""
    archive = BytesIO()
    torch.save(content, archive)
    digest = hashlib.sha256(archive.getbuffer()).hexdigest().encode()

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            file.write(MAGIC + digest + b"\n")
            file.write(archive.getbuffer())

    write_atomically(path, write)


def read_checked(path: Path) -> object:
    """Read what `write_checked` wrote, onto the CPU.

    Raises:
        InputError: No such file, or not whole. No code in it is executed.
    """
    content = read_bytes(path, "checkpoint", MAX_CHECKPOINT)
    header, _, archive = content.partition(b"\n")
    if not header.startswith(MAGIC):
        if EARLIER.match(header):
            raise InputError(f"{path}: {MADE_EARLIER}")
        raise _unreadable(path, what_it_is(path) or "it is none")
    if hashlib.sha256(archive).hexdigest().encode() != header.removeprefix(MAGIC):
        raise _unreadable(path, "damaged: its checksum differs")
    try:
        loaded: object = read_saved(BytesIO(archive))
        return loaded
    except RefusedNameError:
        raise _unreadable(
            path, "it asks for more than tensors; nothing in it was executed"
        ) from None
    except Exception as error:  # an unpickler that is fed with garbage raises anything
        reason = one_line(error)
        raise _unreadable(path, f"damaged: {reason}") from None


def _unreadable(path: Path, reason: str) -> InputError:
    return InputError(f"{path}: {NO_CHECKPOINT} ({reason})")
