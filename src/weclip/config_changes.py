"""Changes of a configuration: `section.key=value` and mappings, checked key by key.

`config_file.py` applies them to presets and files, which are changes of the defaults too.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException, ValidationError

from weclip.config import Config, WholeOrAuto
from weclip.config_schema import PART_SECTIONS, in_a_section
from weclip.data.images.listing import AUTO
from weclip.system.errors import InputError, did_you_mean
from weclip.system.untrusted.documents import parse_yaml
from weclip.system.untrusted.text import one_line, short

OVERRIDE = re.compile(r"\w+(\.\w+)*=")
Change = str | Mapping[str, object]
"""`section.key=value`, or values by dotted key as Python gives them."""
KINDS: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    WholeOrAuto: "a whole number or auto",
    WholeOrAuto | None: "a whole number, auto or null",
    str | None: "a text or null",
    int | None: "a whole number or null",
    float | None: "a number or null",
    bool | None: "true, false or null",
    tuple[float, float]: "a list of two numbers",
    tuple[float, ...]: "a list of numbers",
    tuple[int, ...]: "a list of whole numbers",
    tuple[str, ...]: "a list of texts",
}
"""How types are called in messages; others by their Python name."""


def apply_overrides(
    config: DictConfig,
    overrides: Sequence[Change],
    kind: type[Config],
    unused: Collection[str] = (),
) -> None:
    """Apply changes in turn; errors and arguments as of `config_file.load_config`."""
    for given in overrides:
        if isinstance(given, str):
            if not OVERRIDE.match(given):
                raise InputError(f"'{given}' is not of the form section.key=value")
            where = f"'{one_line(given)}'"
            key, _, value = given.partition("=")
            values: Mapping[str, object] = {key: _value(value, _kind_of(key, kind), where)}
        else:
            values, where = given, "changes"
        for key, change in values.items():
            for name in reversed(key.split(".")):
                change = {name: change}
            apply_change(config, change, where, kind, unused)


def _kind_of(key: str, kind: Any) -> Any:
    """The type of a dotted key; None if there is no such key."""
    for name in key.split("."):
        kind = {f.name: f.type for f in fields(kind)}.get(name) if is_dataclass(kind) else None
    return kind


def _value(text: str, kind: Any, where: str) -> Any:
    """The value of an override: YAML, but as it is where the key wants a text, such as a path.

    >>> _value("my photos #1", str, ""), _value("null", str | None, ""), _value("3", int, "")
    ('my photos #1', None, 3)
    """
    plain = text not in ("", "null", "~") and text[0] not in "\"'"
    if kind in (str, str | None) and plain:
        return text
    return parse_yaml(text, where, "not a valid value")


def apply_change(
    config: DictConfig, change: Any, origin: str, kind: type[Config], unused: Collection[str] = ()
) -> None:
    """Set the keys of `change` in `config`, one by one so that errors name the key."""
    read = {key: value for key, value in change.items() if key not in unused}
    for key, value, wanted in _leaves(read, kind, origin, ""):
        if "${" in short(value, 2000):
            raise InputError(f"{origin}: {key}: references such as ${{...}} are not supported")
        try:
            words = (AUTO, "???") if wanted in (WholeOrAuto, WholeOrAuto | None) else (value,)
            if isinstance(value, str) and value not in words:
                raise ValidationError
            OmegaConf.update(config, key, value, merge=False)
        except OmegaConfBaseException:
            said = KINDS.get(wanted) or str(wanted)
            raise InputError(f"{origin}: {key} must be {said}, not {short(value)}") from None


def _leaves(change: Any, section: Any, origin: str, prefix: str) -> Iterator[tuple[str, Any, Any]]:
    """Dotted key, value and type of everything in `change`; InputError for unknown keys."""
    known = {f.name: f.type for f in fields(section)}
    if not isinstance(change, dict):
        name = prefix.rstrip(".")
        raise InputError(f"{origin}: {name} is a section; its keys are {', '.join(known)}")
    for key, value in change.items():
        if key not in known or prefix + str(key) == "plugins":
            where = f"under {prefix.rstrip('.')}" if prefix else "at the top"
            hint = in_a_section(key, known) or did_you_mean(str(key)[:99], known)
            listed = f"known {where}: {', '.join(known)}"
            if prefix.rstrip(".") in PART_SECTIONS:
                listed += "; a part of your own needs --plugin FILE.py"
            raise InputError(
                f"{origin}: unknown key {prefix}{one_line(key)}; {f'{hint} {listed}'.strip()}"
            )
        if is_dataclass(known[key]):
            yield from _leaves(value, known[key], origin, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value, known[key]
