"""Names of tensors without what training wrappers put round them.

Stage 2.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from weclip.system.errors import InputError

WRAPPERS = ("_orig_mod", "module", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
"""What `torch.compile` and kinds of training put into names, at any depth."""


def without_wrappers(state: Mapping[str, Tensor], file: Path) -> dict[str, Tensor]:
    """Names without `WRAPPERS`.

    Raises:
        InputError: Two names become one.
    """
    plain: dict[str, Tensor] = {}
    for name, value in state.items():
        inner = ".".join(part for part in name.split(".") if part not in WRAPPERS)
        if inner in plain:
            raise InputError(f"{file}: holds {inner} twice, with and without a wrapper; keep one")
        plain[inner] = value
    return plain


def prefix_before(
    first: Sequence[str], state: Mapping[str, Tensor], file: Path, models: str
) -> str:
    """What stands before a model's names, such as `backbone.`; mostly nothing.

    Args:
        first: Names that the model's first layer can have.
        state: Tensors by name, without wrappers.
        file: Where they come from, for messages.
        models: What several of them are called.

    Raises:
        InputError: There are several models.
    """
    ends = [(name, end) for name in state for end in first if name.endswith(end)]
    prefixes = sorted({name.removesuffix(end) for name, end in ends})
    if len(prefixes) > 1:
        found = ", ".join(repr(prefix) for prefix in prefixes[:5])
        raise InputError(f"{file}: holds {len(prefixes)} {models}, under {found}; save one alone")
    return prefixes[0] if prefixes else ""


def refuse_foreign(
    state: Mapping[str, Tensor], foreign: Mapping[str, str], way_out: str, file: Path
) -> None:
    """Raise InputError, which names the model, if the names are those of another one.

    Args:
        state: Tensors by name.
        foreign: Patterns of parts of names, from a dot or the start on, and what has such names.
        way_out: What to use instead.
        file: Where they come from, for messages.
    """
    for pattern, what in foreign.items():
        if any(re.search(rf"(^|\.)({pattern})", name) for name in state):
            raise InputError(f"{file}: {what}; {way_out}")


def join(state: Mapping[str, Tensor], names: list[str], what: str, file: Path) -> Tensor:
    """Stack queries, keys and values, which are stored apart, on their first dimension.

    Raises:
        InputError: One is missing, or they do not fit together.
    """
    if missing := [name for name in names if name not in state]:
        raise InputError(f"{file}: not {what}: missing {', '.join(missing)}")
    shapes = {name: tuple(state[name].shape) for name in names}
    if len(set(shapes.values())) > 1:
        found = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise InputError(f"{file}: query, key and value must have one shape, found {found}")
    return torch.cat([state[name] for name in names])
