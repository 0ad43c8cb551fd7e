"""What a shell can complete: keys of the configuration, presets, methods, formats.

Nothing here imports PyTorch: the keys of parts are read from their source. What is needed is
imported when a shell asks, so that commands start as before.
"""

import ast
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import fields, is_dataclass
from importlib import resources
from typing import Any

from weclip.parts import KINDS, Kind

HIDDEN = "plugins"
"""A key that only files have."""


NO_SPACE = "    [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace\n"
"""What bash's completion script lacks, so that a value can follow `key=` directly."""


def let_values_follow_keys() -> None:
    """Add that to the script, which Typer has no option for; one of another form stays as it is."""
    with suppress(ImportError, AttributeError, KeyError):
        from typer._completion_shared import _completion_scripts as scripts

        if NO_SPACE not in scripts["bash"]:
            scripts["bash"] = scripts["bash"].replace("    return 0\n", f"{NO_SPACE}    return 0\n")


def complete_preset(incomplete: str) -> list[str]:
    """Presets; other words are left to the shell, which completes files."""
    from weclip.config_file import presets

    return _beginning(incomplete, presets())


def complete_method(incomplete: str) -> list[str]:
    """Methods without training."""
    from weclip.config_file import label_methods

    return _beginning(incomplete, label_methods())


def complete_published(incomplete: str) -> list[str]:
    """Tables that can be reproduced."""
    from weclip.tasks.reproduce.published import published_names

    return _beginning(incomplete, published_names())


def complete_format(incomplete: str) -> list[str]:
    """Formats of exports; the last one of several with commas."""
    from weclip.exports.formats import EXPORTS

    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in _beginning(last, EXPORTS)]


def complete_change(incomplete: str) -> list[str]:
    """Keys of the configuration with `=`; other words are left to the shell."""
    return _beginning(incomplete, [f"{key}=" for key in keys()])


def keys() -> list[str]:
    """All keys of the configuration that the shipped parts have, sorted."""
    from weclip.config import Config

    return sorted({*_keys_of(Config, ""), *(key for kind in KINDS for key in _keys_of_kind(kind))})


def _beginning(incomplete: str, words: Iterable[str]) -> list[str]:
    return [word for word in words if word.startswith(incomplete)]


def _keys_of(section: Any, prefix: str) -> Iterator[str]:
    for each in fields(section):
        if is_dataclass(each.type):
            yield from _keys_of(each.type, f"{prefix}{each.name}.")
        elif each.name != HIDDEN:
            yield f"{prefix}{each.name}"


def _keys_of_kind(kind: Kind) -> Iterator[str]:
    """Keys of the parts in a room: settings in their section, and quirks."""
    room = resources.files(kind.room)
    for name in kind.file_names():
        tree = ast.parse(room.joinpath(f"{name}.py").read_text(encoding="utf-8"))
        for node in tree.body:
            part = _declared(node, kind)
            if part is not None:
                yield from _settings(part[1], f"{kind.section}.{part[0]}")


def _declared(node: ast.stmt, kind: Kind) -> tuple[str, ast.ClassDef] | None:
    """Name and class of a part that a statement declares by a decorator, if it does."""
    for each in node.decorator_list if isinstance(node, ast.ClassDef) else ():
        match each:
            case ast.Call(func=ast.Name(id=declares), args=[ast.Constant(value=str(name))]):
                if declares == kind.name.replace(" ", "_") and isinstance(node, ast.ClassDef):
                    return name, node
    return None


def _settings(part: ast.ClassDef, section: str) -> Iterator[str]:
    for node in part.body:
        match node:
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Call(func=ast.Name(id=made))):
                yield f"quirks.{name}" if made == "quirk" else f"{section}.{name}"
