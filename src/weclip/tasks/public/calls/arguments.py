"""What a Python caller gives, as the command line's parser would give it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from os import PathLike, fspath
from pathlib import Path

import numpy as np

from weclip.config_changes import Change
from weclip.inference.arguments import kind_of, path_of, require_list, short_errors
from weclip.system.errors import LONGEST as MESSAGE
from weclip.system.errors import InputError
from weclip.tasks.public.calls.logs import LogScreen

AnyPath = str | PathLike[str]
Overrides = Sequence[str] | Mapping[str, object]
"""Changes of a configuration: texts `section.key=value`, or values by dotted key or section."""


def changes_of(
    short: Mapping[str, object], overrides: Overrides, changes: Mapping[str, object]
) -> list[Change]:
    """Changes of a configuration, in the order in which they count.

    Args:
        short: Values by key of arguments that are short for one; None: not given.
        overrides: Texts such as `train.steps=30`, or values by key.
        changes: Values by dotted key, or sections of them.

    Raises:
        InputError: `overrides` is no list of texts and has no keys.
    """
    given: list[Change] = [{key: value for key, value in short.items() if value is not None}]
    if isinstance(overrides, Mapping):
        given.append({str(key): plain(value) for key, value in overrides.items()})
    else:
        require_list(overrides, "overrides", (str,))
        given.extend(overrides)
    return [*given, {key: plain(value) for key, value in changes.items()}]


def keys_of(changes: Sequence[Change]) -> list[str]:
    """What changes change, as `section.key=`.

    >>> keys_of(["eval.flip=true", {"eval": {"crf": True}, "data.root": "photos"}])
    ['eval.flip=', 'eval.crf=', 'data.root=']
    """
    keys = []
    for change in changes:
        if isinstance(change, str):
            keys.append(change.partition("=")[0] + "=")
            continue
        for key, value in change.items():
            inner = keys_of([value]) if isinstance(value, Mapping) else ["="]
            keys.extend(key + ("" if each == "=" else ".") + each for each in inner)
    return keys


def plain(value: object) -> object:
    """A value as YAML would give it.

    >>> plain({"scales": (1.0, np.float64(0.75)), "root": Path("photos")})
    {'scales': [1.0, 0.75], 'root': 'photos'}
    """
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, PathLike):
        return fspath(value)
    return value.item() if isinstance(value, np.generic) else value


@contextmanager
def called(*, progress: bool, device: str | None = None, **flags: object) -> Iterator[LogScreen]:
    """What every function of a command has: its messages, a log, perhaps a bar and a device.

    Args:
        progress: Whether a bar is shown.
        device: Where it computes; None: the first GPU, or the CPU.
        flags: Arguments that must be true or false, by name.

    Raises:
        InputError: One of these is something else.
    """
    with short_errors(MESSAGE), ExitStack() as stack:  # what a command says is not cut
        require_flags(progress=progress, **flags)
        if device is not None:  # PyTorch, which `check` does without
            from weclip.system.distributed import on_device
            from weclip.tasks.load.opening import require_device

            require_device(device)
            stack.enter_context(on_device(str(device)))
        yield LogScreen(progress=progress)


def text_of(value: object, name: str) -> str | None:
    """A text, or a path as a text; None as it is.

    Raises:
        InputError: It is something else.
    """
    return None if value is None else str(path_of(value, name))


def path_or_none(value: object, name: str) -> Path | None:
    """As `path_of`; None as it is."""
    return None if value is None else path_of(value, name)


def require_flags(**flags: object) -> None:
    """InputError unless all these are true or false: a text `"no"` would count as true."""
    for name, value in flags.items():
        if not isinstance(value, bool):
            raise InputError(f"{name} is {kind_of(value)}; give True or False")
