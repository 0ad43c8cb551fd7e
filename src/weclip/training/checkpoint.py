"""The state of a run on disk: everything that the next step depends on.

Stage 5. Frozen weights are not part of it. Data need no state: batches are a function of the step.
"""

import pickle
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from weclip.errors import InputError
from weclip.files import what_it_is, write_atomically


@dataclass(frozen=True)
class Checkpoint:
    """A run between two steps.

    Attributes:
        step: The step to run next.
        decoder: State dict of the decoder.
        optimizer: State dict of the optimiser.
        random: Generator states from `random_state`.
        config: Resolved configuration as YAML.
        best_score: Best score so far; None before the first evaluation.
    """

    step: int
    decoder: dict[str, Tensor]
    optimizer: dict[str, Any]
    random: dict[str, Any]
    config: str
    best_score: float | None


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; the file appears whole or not at all."""
    content = BytesIO()  # torch writing to a full disk itself does not say what is wrong
    torch.save(vars(checkpoint), content)
    write_atomically(path, lambda temporary: temporary.write_bytes(content.getbuffer()))


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint onto the CPU.

    Raises:
        InputError: No such file, or not a checkpoint of ours. No code in it is executed.
    """
    if not path.is_file():
        raise InputError(f"{path}: no checkpoint to resume from; start without --resume")
    try:
        return Checkpoint(**torch.load(path, map_location="cpu", weights_only=True))
    except pickle.UnpicklingError:  # torch's own text tells the user how to run the code
        reason = "damaged, or it asks for more than tensors; nothing in it was executed"
    except TypeError:
        reason = "it holds other things"
    except Exception as error:  # an unpickler that is fed with garbage raises anything
        reason = what_it_is(path) or f"damaged: {str(error).partition(chr(10))[0]}"
    raise InputError(
        f"{path}: not a readable weclip checkpoint ({reason}); start anew in another --out"
    )


def random_state() -> dict[str, Any]:
    """States of the generators that training draws from (dropout): CPU and every GPU."""
    return {"cpu": torch.get_rng_state(), "cuda": list(torch.cuda.get_rng_state_all())}


def restore_random_state(state: dict[str, Any]) -> None:
    """Undo every draw since `random_state`; GPU states only where there are as many GPUs."""
    torch.set_rng_state(state["cpu"])
    if len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])
