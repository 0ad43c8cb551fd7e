"""Whether tensors are one whole model: every name, every shape, floating point.

Stage 2. Faults are told in one line.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from weclip.system.errors import InputError

Shape = tuple[int, ...]


def require_dimensions(
    state: Mapping[str, Tensor], dimensions: Mapping[str, int], what: str, file: Path
) -> None:
    """Make sure that the tensors are there that tell the sizes of all.

    Args:
        state: Tensors by name.
        dimensions: Their names, with their numbers of dimensions.
        what: What the tensors should be.
        file: Where they come from.

    Raises:
        InputError: One is missing, empty, or of another number of dimensions.
    """
    missing = [name for name in dimensions if name not in state]
    flat = [
        f"{name} (found {shape(state[name])}, expected {wanted} dimensions, none of them 0)"
        for name, wanted in dimensions.items()
        if name in state and (state[name].ndim != wanted or not state[name].numel())
    ]
    if missing or flat:  # the sizes cannot be read, so the rest is not compared
        raise InputError(faults(file, what, missing=missing, misshapen=flat))


def require_shapes(
    state: Mapping[str, Tensor], expected: Mapping[str, Shape], what: str, file: Path
) -> None:
    """Make sure that the tensors are those of a model, all and no others.

    Raises:
        InputError: One line with every kind of fault, names and shapes.
    """
    misshapen = [
        f"{name} (found {shape(state[name])}, expected {wanted})"
        for name, wanted in expected.items()
        if name in state and shape(state[name]) != wanted
    ]
    misshapen += [
        f"{name} (found {value.dtype}, expected floating point)"
        for name, value in state.items()
        if name in expected and not value.is_floating_point()
    ]
    missing = [name for name in expected if name not in state]
    unexpected = [name for name in state if name not in expected]
    if missing or unexpected or misshapen:
        raise InputError(
            faults(file, what, missing=missing, unexpected=unexpected, misshapen=misshapen)
        )


def finite(state: dict[str, Tensor], file: Path) -> dict[str, Tensor]:
    """All tensors in float32, in memory of their own; `state` is emptied, so that it is not double.

    Raises:
        InputError: One holds NaN or infinity.
    """
    numbers: dict[str, Tensor] = {}
    for name in list(state):
        stored = state.pop(name)
        own = torch.empty(stored.shape).copy_(stored)  # also of a file that may change
        if not own.isfinite().all():
            raise InputError(f"{file}: {name} is not finite; download the weights again")
        numbers[name] = own
    return numbers


def faults(file: Path, what: str, **names: list[str]) -> str:
    """One line with every fault by kind; of many names only the first ones."""
    kinds = [f"{kind} {listing(found)}" for kind, found in names.items() if found]
    return f"{file}: not {what}: {'; '.join(kinds)}"


def listing(names: list[str], most: int = 8) -> str:
    """Names with commas; beyond `most`, how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def shape(tensor: Tensor) -> Shape:
    """Shape as a plain tuple, for messages."""
    return tuple(tensor.shape)
