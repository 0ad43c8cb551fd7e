"""The whole configuration: `Config` with a section for each part that there is.

Parts may be a user's own, so these classes are made when they are needed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import field, fields, is_dataclass, make_dataclass
from functools import cache
from typing import Any, get_type_hints

from weclip import parts
from weclip.config import (
    Config,
    LossConfig,
    MethodConfig,
    QuirkConfig,
)
from weclip.config_labels import AffinityConfig, CamConfig, RegionsConfig
from weclip.plugins import Plugin
from weclip.system.errors import InputError

_SECTIONS: dict[str, type] = {
    "cam": CamConfig,
    "affinity": AffinityConfig,
    "regions": RegionsConfig,
    "loss": LossConfig,
    "method": MethodConfig,
}
"""The sections that hold parts."""

PART_SECTIONS = (*_SECTIONS, "quirks")
"""Those whose keys parts decide."""


def schema(plugins: Sequence[Plugin] = ()) -> type[Config]:
    """`Config` with a section for each part, of the package and of plugins. Imports PyTorch.

    Raises:
        InputError: A plugin's part has the name of a shipped one, or of a key beside it.
    """
    return _schema(tuple(plugins))


@cache
def _schema(plugins: tuple[Plugin, ...]) -> type[Config]:
    known = dict(parts.shipped())
    for plugin in plugins:
        known |= plugin.parts
    quirks = {f.name: f for part in known.values() for f in fields(part) if parts.is_quirk(f)}
    switches = [(name, bool | None, field(default=None)) for name in quirks]
    sections = [_section("quirks", QuirkConfig, switches)]
    for kind in parts.KINDS:
        own = _SECTIONS[kind.section]
        taken = {each.name for each in fields(own)}
        named = {name: part for (kind_name, name), part in known.items() if kind_name == kind.name}
        for name in taken & named.keys():
            raise InputError(f"{kind.name} '{name}': {kind.section}.{name} is a key; rename it")
        sections.append(
            _section(kind.section, own, [(n, s, field(default_factory=s)) for n, s in _of(named)])
        )
    made: type[Config] = make_dataclass("Config", sections, bases=(Config,))
    made.KNOWN, made.PLUGINS = known, plugins
    return made


def _of(named: dict[str, type]) -> list[tuple[str, type]]:
    """Name and section of each part, whose fields are the part's settings."""
    return [
        (
            name,
            make_dataclass(
                part.__name__,
                [
                    (f.name, types[f.name], field(default=f.default))
                    for f in parts.settings_of(part)
                ],
            ),
        )
        for name, part in sorted(named.items())
        for types in [get_type_hints(part)]
    ]


def _section(name: str, base: type, added: list[Any]) -> tuple[str, type, Any]:
    """A field of `Config`: a section with more keys than its base has."""
    section = make_dataclass(base.__name__, added, bases=(base,))
    return name, section, field(default_factory=section)


def in_a_section(key: object, known: Mapping[str, Any]) -> str:
    """ "did you mean 'train.steps'?" for the key of a section that was given without it.

    Args:
        key: As it was given.
        known: Types of keys and sections by name.
    """
    for name, kind in known.items():
        if is_dataclass(kind) and key in {each.name for each in fields(kind)}:
            return f"did you mean '{name}.{key}'?"
    return ""
