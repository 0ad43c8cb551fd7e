"""The page of every key, from the configuration itself: value, default, source, presets."""

import ast
import inspect
from collections.abc import Iterator
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from functools import cache
from importlib import resources
from types import ModuleType
from typing import Any, get_type_hints

from weclip import config as config_module
from weclip import config_labels, parts
from weclip import config_rules as rules
from weclip.config_schema import schema
from weclip.system.untrusted.documents import parse_yaml

INTRODUCTION = """# Every key

Write a key as `section.key=value` behind a command (`weclip train photos train.steps=300`), or in
a YAML file for `--config`. `weclip --install-completion` lets the shell complete them. "Published"
and "released code" mean the paper and its authors' program; "ours" is chosen here. Where a row
names no source, the sentence above its table does. The last column: presets (`--config NAME`) and
methods of `weclip label` (`--method NAME`) whose value is another.
"""

WORDS = {
    "bool": "true or false",
    "float": "number",
    "int": "whole number",
    "str": "text",
    "Any": "text",
    "WholeOrAuto": "whole number or auto",
}
"""Python's types in plain words."""


HOMES = (config_module.__name__, config_labels.__name__)
"""Modules that hold the sections."""


@dataclass(frozen=True)
class Key:
    """One key of the configuration.

    Attributes:
        name: With its section, such as `train.steps`.
        kind: What a value is, in words.
        default: As it is written in YAML.
        allowed: Which values are, where a rule says so.
        source: What it is and where the default comes from.
        presets: Name of a preset or method -> its value, where that is another.
    """

    name: str
    kind: str
    default: str
    allowed: str
    source: str
    presets: dict[str, str]


def page() -> str:
    """All keys, a table for each section."""
    by_section: dict[str, list[Key]] = {}
    for key in all_keys():
        by_section.setdefault(key.name.rpartition(".")[0], []).append(key)
    said = dict(sections(schema()))
    made = [section(name, said.get(name, ""), listed) for name, listed in by_section.items()]
    return "\n".join([INTRODUCTION, *made])


def section(name: str, said: str, listed: list[Key]) -> str:
    """One section: what it is for, and its keys."""
    head = (
        [f"## {name or 'Of the whole'}", "", said, ""]
        if said
        else [f"## {name or 'Of the whole'}", ""]
    )
    table = ["| Key | Default, values | What it is, source | Other in |", "|---|---|---|---|"]
    return "\n".join([*head, *table, *map(row, listed), ""])


def row(key: Key) -> str:
    """A row of the table for a key."""
    by_value: dict[str, list[str]] = {}
    for name, value in key.presets.items():
        by_value.setdefault(value, []).append(name)
    others = "<br>".join(f"`{value}`: {'; '.join(names)}" for value, names in by_value.items())
    value = f"`{key.default}`<br>{key.allowed or key.kind}"
    return f"| `{key.name}` | {value} | {cell(key.source)} | {others} |"


def cell(text: str) -> str:
    """A text that may stand in a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def sections(kind: type, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Name and purpose of each section, those of parts included."""
    for each in fields(kind):
        if is_dataclass(each.type):
            name = prefix + each.name
            yield name, purpose(name, each.type)  # type: ignore[arg-type]
            yield from sections(each.type, f"{name}.")  # type: ignore[arg-type]


def purpose(name: str, kind: type) -> str:
    """What a section is for: the first paragraph of the docstring of its class or part."""
    part = part_of(name)
    own = part if part is not None else next(c for c in kind.__mro__ if is_ours(c))
    return " ".join((inspect.getdoc(own) or "").split("\n\n")[0].split())


def is_ours(kind: type) -> bool:
    """Whether a class stands where the sections do, as their comments do."""
    return kind.__module__ in HOMES and kind.__name__ in comments()


def part_of(section_name: str) -> type | None:
    """The part whose settings a section holds: `affinity.attention`."""
    for (kind_name, name), part in parts.shipped().items():
        kind = next(kind for kind in parts.KINDS if kind.name == kind_name)
        if section_name == f"{kind.section}.{name}":
            return part
    return None


def all_keys(kind: type | None = None, prefix: str = "") -> Iterator[Key]:
    """Every key, in the order of the configuration."""
    kind = schema() if kind is None else kind
    types = get_type_hints(kind)
    inside = [each for each in fields(kind) if is_dataclass(types[each.name])]
    for each in fields(kind):
        if each not in inside:
            yield described(prefix + each.name, each, kind)
    for each in inside:
        yield from all_keys(types[each.name], f"{prefix}{each.name}.")


def described(name: str, each: "Field[Any]", kind: type) -> Key:
    """One key with all that is known of it."""
    part = part_of(name.rpartition(".")[0])
    if part is None and "rule" in each.metadata:
        part = kind  # a section whose fields are declared as those of parts
    switches = {f.name: f for p in parts.shipped().values() for f in fields(p) if parts.is_quirk(f)}
    declared, source = "", ""
    if part is not None:
        declared = _type_name(get_type_hints(part)[each.name])
        own = next(f for f in fields(part) if f.name == each.name)
        source = own.metadata["source"]
    elif name.startswith("quirks.") and each.name in switches:
        declared, source = "bool | None", switches[each.name].metadata["source"]
    else:
        home = next(c for c in kind.__mro__ if each.name in comments().get(c.__name__, {}))
        declared, source = comments()[home.__name__][each.name]
    default, rule = written(default_of(each)), allowed(name, part)
    if rule and not rule.startswith("one "):
        rule = f"{in_words(declared).removesuffix(', or null')}, {rule}"
    others = {n: v for n, v in presets().get(name, {}).items() if v != default}
    return Key(name, in_words(declared), default, rule, source, others)


def default_of(each: "Field[Any]") -> Any:
    """The value that holds where none is given."""
    if each.default_factory is not MISSING:
        return each.default_factory()
    return each.default


def written(value: Any) -> str:
    """A value as YAML has it.

    >>> [written(value) for value in (None, True, (1, 0.5), "a", "???")]
    ['null', 'true', '[1, 0.5]', 'a', 'must be given']
    """
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(written, value))}]"
    if isinstance(value, dict):
        return "{}"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return "must be given" if value == "???" else str(value)


def in_words(declared: str) -> str:
    """A type in plain words.

    >>> in_words("tuple[float, ...] | None"), in_words("WholeOrAuto")
    ('list of numbers, or null', 'whole number or auto')
    """
    plain = declared.removesuffix(" | None")
    end = ", or null" if declared.endswith("| None") else ""
    if plain.startswith("tuple["):
        inner = plain.removeprefix("tuple[").rstrip("]").split(", ")
        many = f"{WORDS[inner[0]]}s"
        return f"{'list of' if inner[-1] == '...' else len(inner)} {many}{end}"
    if plain.startswith("dict["):
        return f"names and values{end}"
    return WORDS.get(plain, "whole number or auto" if plain == "int | str" else plain) + end


def _type_name(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) and not hasattr(hint, "__args__") else str(hint)


@cache
def comments() -> dict[str, dict[str, tuple[str, str]]]:
    """Class of a section -> field -> its type as written, and the comment beside it."""
    return commented(config_labels) | commented(config_module)


def commented(module: ModuleType) -> dict[str, dict[str, tuple[str, str]]]:
    """The same of one module."""
    source = inspect.getsource(module)
    lines = source.splitlines()
    return {
        node.name: {
            ast.unparse(each.target): (ast.unparse(each.annotation), comment(lines, each))
            for each in node.body
            if isinstance(each, ast.AnnAssign)
        }
        for node in ast.parse(source).body
        if isinstance(node, ast.ClassDef)
    }


def comment(lines: list[str], field: ast.AnnAssign) -> str:
    """What stands behind `#` in the lines of a field."""
    last = field.end_lineno or field.lineno
    found = [line.partition("  # ")[2] for line in lines[field.lineno - 1 : last]]
    return " ".join(text for text in found if text)


def allowed(name: str, part: type | None) -> str:
    """Which values are allowed, where a rule of the configuration says so in words."""
    for kind in parts.KINDS:
        if name == kind.key:
            names = ", ".join(kind.file_names())
            return f"one or several of {names}" if kind.several else f"one of {names}"
    if name in rules.CHOICES:
        return "one of " + ", ".join(map(written, rules.CHOICES[name]))
    if part is not None:
        return dict(parts.rules_of(part)).get(name.rpartition(".")[2], (None, ""))[1]
    if name in rules.SIDES:
        return f"from 32 to {rules.LONGEST_SIDE}, or null"
    listed = {
        "more than 0": rules.POSITIVE,
        "0 or more": rules.NOT_NEGATIVE,
        "from 0 to 1": rules.SHARES,
    }
    words = [text for text, names in listed.items() if name in names]
    return words[0] if words else ""


@cache
def presets() -> dict[str, dict[str, str]]:
    """Key -> preset or method -> its value as YAML has it."""
    found: dict[str, dict[str, str]] = {}
    folder = resources.files("weclip.presets")
    for room, mark in ((folder, ""), (folder.joinpath("methods"), "method ")):
        files = [each for each in room.iterdir() if each.name.endswith(".yaml")]
        for file in sorted(files, key=lambda each: each.name):
            content = parse_yaml(file.read_text(encoding="utf-8"), file.name)
            name = mark + file.name.removesuffix(".yaml")
            for key, value, when in flat(content):
                found.setdefault(key, {})[name + when] = written(value)
    return found


def flat(
    content: dict[str, Any], prefix: str = "", when: str = ""
) -> Iterator[tuple[str, Any, str]]:
    """Dotted keys, values, and ", where a=b" for those of a section `when a=b`."""
    for name, value in content.items():
        if name.startswith("when "):
            yield from flat(value, prefix, f", where {name.removeprefix('when ')}")
        elif isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}.", when)
        else:
            yield prefix + name, value, when
