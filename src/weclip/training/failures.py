"""What ends a run from outside, in one line each: memory, disk, helper and sister processes.

Stage 5.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from weclip.system.errors import InputError, RunError, unwritable

_MEMORY = ("out of memory", "can't allocate memory", "bad_alloc")
_WORKER = ("DataLoader worker",)
_SISTER = ("gloo", "NCCL", "Connection closed by peer", "Connection reset by peer", "process group")


@contextmanager
def explained_failures(state: Callable[[], tuple[int, str]]) -> Iterator[None]:
    """Turn what the system does to a run into a `RunError`; what is our bug stays as it is.

    Args:
        state: The training step under way, and what is on disk, for the line.
    """
    try:
        yield
    except (InputError, RunError):
        raise
    except (RuntimeError, OSError, MemoryError) as error:
        reason = _reason(error)
        if reason is None:
            raise
        step, kept = state()
        raise RunError(f"step {step}: {reason}; {kept}") from error


def _reason(error: Exception) -> str | None:
    text = str(error)
    if isinstance(error, torch.OutOfMemoryError | MemoryError) or _has(text, _MEMORY):
        return (
            "out of memory; lower train.batch_size or data.crop_size, or take train.precision=bf16"
        )
    if isinstance(error, OSError):
        return unwritable(error, "the run folder")
    if _has(text, _WORKER):
        return (
            "a process that reads images died (often for lack of memory: lower data.workers); "
            f"{text.splitlines()[0]}"
        )
    if _has(text, _SISTER):
        return f"another process of this run has ended ({text.splitlines()[0][:160]})"
    return None


def _has(text: str, parts: tuple[str, ...]) -> bool:
    return any(part in text for part in parts)
