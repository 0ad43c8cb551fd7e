"""The processes of one run: whose turn it is, what they share, what only the first one does.

Started by `accelerate launch` or `torchrun` and connected by `accelerate`; without a launcher there
is one process, and everything here is trivial. So it is without PyTorch, which is imported when it
is needed.
"""

import atexit
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from datetime import timedelta
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from weclip.system.console import Screen, screen
from weclip.system.errors import InputError, Notice, RunError

if TYPE_CHECKING:
    from accelerate import Accelerator
    from torch import Tensor

Item = TypeVar("Item")
Thing = TypeVar("Thing")

SILENCE = timedelta(minutes=10)
"""How long a process waits for the others before it gives them up."""

_LOCAL_RANKS = ["LOCAL_RANK", "MPI_LOCALRANKID", "OMPI_COMM_WORLD_LOCAL_RANK"]
_RANKS = ["RANK", "PMI_RANK", "OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK"]
_SIZES = ["WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE"]
"""What launchers call a process's number, on its machine and in all, and how many there are."""

_ALONE = "; to run alone, unset WORLD_SIZE and RANK (or those of MPI)"


class Place(Protocol):
    """A process's place among the others."""

    process_index: int
    num_processes: int
    is_main_process: bool

    def wait_for_everyone(self) -> None:
        """Go on when all processes are here."""


class Alone:
    """The place of a process without PyTorch."""

    process_index = 0
    num_processes = 1
    is_main_process = True

    def wait_for_everyone(self) -> None:
        """There are no others."""


@cache
def has_torch() -> bool:
    """Whether PyTorch is installed, with what shares work between processes."""
    found = (find_spec(name) for name in ("torch", "accelerate"))
    return all(spec is not None and spec.origin is not None for spec in found)


def connect() -> Place:
    """This process's place among the others; the first call connects them.

    There are others only where the environment says that there are more than one. What else a
    launcher has left in it is ignored.

    Raises:
        InputError: What the environment says of the processes cannot be.
        RunError: The others did not come.
    """
    if not has_torch():
        return Alone()
    from accelerate import PartialState

    if not PartialState._shared_state:
        _join()
    place: Place = PartialState()
    return place


def _join() -> None:
    import torch
    from accelerate.utils import get_int_from_env

    try:
        size, rank = get_int_from_env(_SIZES, 1), get_int_from_env(_RANKS, 0)
        local_rank = get_int_from_env(_LOCAL_RANKS, 0)
    except ValueError as error:
        raise InputError(
            f"the environment does not say which of how many processes this is ({error}): start "
            f"with torchrun or accelerate launch{_ALONE}"
        ) from None
    if size <= 1:
        _connect(local_rank=-1, size=1)
        return
    if rank >= size:
        raise InputError(f"RANK={rank} is not below WORLD_SIZE={size} in the environment{_ALONE}")
    if not torch.distributed.is_torchelastic_launched():
        warnings.warn(
            f"this is process {rank} of {size} by the environment; waiting up to "
            f"{SILENCE.seconds // 60} minutes for the others{_ALONE}",
            Notice,
            stacklevel=2,
        )
    try:
        _connect(local_rank=local_rank, size=size)
    except ValueError as error:  # no address or port, or one that cannot be
        raise InputError(
            f"WORLD_SIZE={size} is in the environment, but not where the other processes are "
            f"({_first_line(error)}): start with torchrun or accelerate launch{_ALONE}"
        ) from None
    except RuntimeError as error:
        raise RunError(
            f"the other {size - 1} processes did not come ({_first_line(error)}){_ALONE}"
        ) from error


def _connect(*, local_rank: int, size: int) -> None:
    """Let `accelerate` connect; it looks for these two in many variables."""
    from accelerate import PartialState
    from accelerate.utils import patch_environment

    with patch_environment(LOCAL_RANK=local_rank, PMI_SIZE=size):
        try:
            PartialState(cpu=default_device() == "cpu", timeout=SILENCE)
        except BaseException:
            PartialState._reset_state()
            raise
    if size > 1:
        atexit.register(_leave)


def _leave() -> None:
    """Leave the others before the interpreter ends: Gloo's threads may abort a process else."""
    from torch import distributed

    if distributed.is_initialized() and distributed.get_backend() == "gloo":
        distributed.destroy_process_group()


_device: ContextVar[str | None] = ContextVar("device", default=None)
"""The device that was chosen for what runs, if one was."""


def default_device() -> str:
    """Where everything is computed: the device that was chosen, the first GPU, Apple's, the CPU."""
    chosen = _device.get()
    if chosen is not None or not has_torch():
        return chosen or "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def chosen_device() -> str | None:
    """The device that was chosen, such as by `--device`."""
    return _device.get()


@contextmanager
def on_device(name: str | None) -> Iterator[None]:
    """Choose the device of everything that is computed meanwhile.

    Args:
        name: `cpu`, `cuda` or, for one process, `cuda:1`, which must be there; None: no choice.

    Raises:
        InputError: A GPU is chosen by its number, and there are several processes.
    """
    if name is None:
        yield
        return
    if not has_torch():
        before = _device.set(name)
        try:
            yield
        finally:
            _device.reset(before)
        return
    import torch

    place = torch.device(name)
    before = _device.set(name)
    _forget_place()
    try:
        if place.index is not None and connect().num_processes > 1:
            raise InputError(
                f"--device {name}: each of several processes takes a GPU of its own; give cuda, "
                "and choose the GPUs with CUDA_VISIBLE_DEVICES"
            )
        numbered = place.index is not None and torch.cuda.is_available()
        with torch.cuda.device(place) if numbered else nullcontext():
            yield
    finally:
        _device.reset(before)
        _forget_place()


def _forget_place() -> None:
    """Let `connect` look again at which device one process computes on."""
    from accelerate import PartialState

    if PartialState._shared_state and PartialState().num_processes == 1:
        PartialState._reset_state()


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:160]


def make_accelerator(
    precision: str, *, tracker: str | None = None, out: Path = Path()
) -> "Accelerator":
    """The engine of a run at `float32`, `bf16` or `fp16`, with a tracker that writes to `out`.

    `accelerate` keeps the first precision for the whole process; forgetting it lets one Python
    process run several trainings. Process groups stay.
    """
    import torch
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state()
    connect()
    if torch.distributed.is_initialized():  # a 1 x 1 convolution has two right layouts
        warnings.filterwarnings("ignore", message="Grad strides do not match bucket view strides")
    return Accelerator(
        mixed_precision="no" if precision == "float32" else precision,
        log_with=tracker,
        project_dir=out,
    )


def console() -> Screen:
    """Standard output of the first process; silent in the others."""
    return screen(quiet=not connect().is_main_process)


def own_part(items: Sequence[Item]) -> Sequence[Item]:
    """Those of `items` that this process does; each item falls to exactly one process."""
    place = connect()
    return items[place.process_index :: place.num_processes]


def total(tensor: "Tensor") -> "Tensor":
    """The sum of a tensor over all processes, in each of them."""
    from accelerate.utils import reduce

    summed: Tensor = reduce(tensor, reduction="sum")
    return summed


def everyones(thing: Thing) -> list[Thing]:
    """The thing that each process gives, in their order, in each of them."""
    if connect().num_processes == 1:
        return [thing]
    from accelerate.utils import gather_object

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
                    f"{other.get(key)!s:.100} there and {first.get(key)!s:.100} here; give all "
                    "the same"
                )


def from_first(make: Callable[[], Thing]) -> Thing:
    """What `make` gives in the first process, in each of them; elsewhere it is not called."""
    place = connect()
    if place.num_processes == 1:
        return make()
    from accelerate.utils import broadcast_object_list

    things = [make() if place.is_main_process else None]
    made: Thing = broadcast_object_list(things)[0]
    return made
