"""The state of a run on disk: everything that the next step depends on.

Stage 5. Frozen weights are not part of it. Batches and dropout need no state: both are functions
of the seed and the step. A file is one line with the SHA-256 of what follows it, a PyTorch archive.
"""

import hashlib
import pickle
import re
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from weclip.system.errors import MADE_EARLIER, InputError
from weclip.system.files import remove_temporaries, what_it_is, write_atomically

MAGIC = b"weclip-checkpoint-3 "
EARLIER = re.compile(rb"weclip-checkpoint-\d+ ")
BEST = "best.ckpt"
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
    try:
        return Checkpoint(**read_checked(path))
    except TypeError:
        raise _unreadable(path, "it holds other things") from None


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


def read_checked(path: Path) -> dict[str, Any]:
    """Read what `write_checked` wrote, onto the CPU.

    Raises:
        InputError: No such file, or not whole. No code in it is executed.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: no such checkpoint") from None
    header, _, archive = content.partition(b"\n")
    if not header.startswith(MAGIC):
        if EARLIER.match(header):
            raise InputError(f"{path}: {MADE_EARLIER}")
        raise _unreadable(path, what_it_is(path) or "it is none")
    if hashlib.sha256(archive).hexdigest().encode() != header.removeprefix(MAGIC):
        raise _unreadable(path, "damaged: its checksum differs")
    try:
        loaded: dict[str, Any] = torch.load(BytesIO(archive), map_location="cpu", weights_only=True)
        return loaded
    except pickle.UnpicklingError:  # torch's own text tells the user how to run the code
        raise _unreadable(
            path, "it asks for more than tensors; nothing in it was executed"
        ) from None
    except Exception as error:  # an unpickler that is fed with garbage raises anything
        raise _unreadable(path, f"damaged: {str(error).partition(chr(10))[0]}") from None


def _unreadable(path: Path, reason: str) -> InputError:
    return InputError(f"{path}: not a readable weclip checkpoint ({reason})")
