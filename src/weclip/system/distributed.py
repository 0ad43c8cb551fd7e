"""The processes of one run: whose turn it is, what they share, what only the first one does.

Started by `accelerate launch` or `torchrun` and connected by `accelerate`; without a launcher there
is one process, and everything here is trivial.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TypeVar

import torch
from accelerate import Accelerator, PartialState
from accelerate.state import AcceleratorState
from accelerate.utils import broadcast_object_list, gather_object, reduce
from rich.console import Console
from torch import Tensor

from weclip.system.errors import InputError

Item = TypeVar("Item")
Thing = TypeVar("Thing")

SILENCE = timedelta(minutes=10)
"""How long a process waits for the others before it gives them up."""


def connect() -> PartialState:
    """This process's place among the others; the first call connects them."""
    return PartialState(cpu=not torch.cuda.is_available(), timeout=SILENCE)


def make_accelerator(precision: str) -> Accelerator:
    """The engine of a run at `float32`, `bf16` or `fp16`.

    `accelerate` keeps the first precision for the whole process; forgetting it lets one Python
    process run several trainings. Process groups stay.
    """
    AcceleratorState._reset_state()
    connect()
    if torch.distributed.is_initialized():  # a 1 x 1 convolution has two right layouts
        warnings.filterwarnings("ignore", message="Grad strides do not match bucket view strides")
    return Accelerator(mixed_precision="no" if precision == "float32" else precision)


def console() -> Console:
    """Standard output of the first process; silent in the others."""
    return Console(quiet=not connect().is_main_process)


def own_part(items: Sequence[Item]) -> Sequence[Item]:
    """Those of `items` that this process does; each item falls to exactly one process."""
    place = connect()
    return items[place.process_index :: place.num_processes]


def total(tensor: Tensor) -> Tensor:
    """The sum of a tensor over all processes, in each of them."""
    summed: Tensor = reduce(tensor, reduction="sum")
    return summed


def everyones(thing: Thing) -> list[Thing]:
    """The thing that each process gives, in their order, in each of them."""
    gathered: list[Thing] = gather_object([thing])
    return gathered


def require_equal(what: str, values: Mapping[str, object]) -> None:
    """InputError, in every process, unless all give the same values.

    Args:
        what: What the values are of, for the message.
        values: Value by key.
    """
    first, *others = everyones(dict(values))
    for rank, other in enumerate(others, start=1):
        for key in sorted(first.keys() | other.keys()):
            if first.get(key) != other.get(key):
                raise InputError(
                    f"process {rank} has another {what} than process 0: {key} is "
                    f"{other.get(key)} there and {first.get(key)} here; give all the same"
                )


def from_first(make: Callable[[], Thing]) -> Thing:
    """What `make` gives in the first process, in each of them; elsewhere it is not called."""
    things = [make() if connect().is_main_process else None]
    made: Thing = broadcast_object_list(things)[0]
    return made
