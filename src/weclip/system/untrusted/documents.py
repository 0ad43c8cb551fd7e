"""The one place that parses YAML, JSON and XML.

Whatever a parser raises becomes an `InputError`. Depth, size, aliases and numbers are bounded, so
that neither the parser nor what is done with a document takes long; two equal keys are refused,
since nothing tells which of them is meant.
"""

import json
import re
from collections import Counter
from collections.abc import Hashable
from pathlib import Path
from typing import Any, ClassVar
from xml.etree import ElementTree

import yaml

from weclip.system.errors import InputError
from weclip.system.untrusted.files import MAX_DOCUMENT, read_bytes, read_text
from weclip.system.untrusted.text import one_line, short, shown

MAX_DEPTH = 64
"""Lists and mappings inside each other; no format that is read here has ten."""

MAX_NODES = 200_000
"""Values of a YAML document, those that aliases repeat counted again."""

MAX_NUMBER = 2**64
"""Whole numbers beyond it are no size, number or colour of anything."""

_LEAVES = (str, float, bool, type(None))

_PARSER_ERRORS = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError)
"""What the parsers raise for nonsense, beside errors of their own."""

_FLOAT = re.compile(
    r"(?:[-+]?(?:\d[\d_]*\.[\d_]*(?:[eE][-+]?\d+)?|\d[\d_]*[eE][-+]?\d+|\.\d[\d_]*(?:[eE][-+]?\d+)?"
    r"|\.(?:inf|Inf|INF))|\.(?:nan|NaN|NAN))$"
)
"""Numbers as people write them, `1e-5` too (YAML 1.1 wants `1.0e-5`)."""

_INT = re.compile(r"(?:[-+]?(?:0|[1-9][\d_]*)|0x[\da-fA-F]+)$")
"""No base 60 and no octal numbers: `1:30` and `010` are texts, not 90 and 8."""

_READ_OTHERWISE = (":timestamp", ":float", ":int")


_SAFE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_SAFE):  # type: ignore[misc]
    """Plain values only. Dates stay texts, and no key is there twice."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {
        first: [(tag, rule) for tag, rule in rules if not tag.endswith(_READ_OTHERWISE)]
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        """A mapping of which no key is written twice."""
        seen: set[Hashable] = set()
        for key_node, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str | int | float | bool | None):
                raise yaml.constructor.ConstructorError(
                    None, None, f"{short(key)} is no key", key_node.start_mark
                )
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {short(key)} is there twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", _INT, list("-+0123456789"))


def parse_yaml(text: str, where: str, what: str = "not valid YAML") -> Any:
    """Parse a YAML document.

    Args:
        text: At most `MAX_DOCUMENT` characters.
        where: What messages start with: the file, or the place in it.
        what: How a message says that it is none.

    Returns:
        Mappings, lists, texts, numbers, booleans and null; null of an empty text.

    Raises:
        InputError: It is no YAML, has two equal keys, or is too large, too deep or too entangled.
    """
    if len(text) > MAX_DOCUMENT:
        raise InputError(f"{where}: {what} (over {MAX_DOCUMENT} characters)")
    try:
        _require_small(text)
        document = yaml.load(text, Loader=_Loader)
        _require_plain(document)
    except yaml.YAMLError as error:
        raise InputError(f"{where}: {what} ({_reason(error)})") from None
    except (*_PARSER_ERRORS, RecursionError) as error:
        raise InputError(f"{where}: {what} ({one_line(error)})") from None
    return document


def _require_small(text: str) -> None:
    """ValueError if a document is deep, or large once its aliases are followed."""
    sizes: dict[str, int] = {}
    open_nodes: list[tuple[str | None, int]] = []  # anchor, and the count at its start
    count = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            count += sizes.get(str(event.anchor), 1)
            if any(anchor == event.anchor for anchor, _ in open_nodes):
                raise ValueError(f"the alias *{short(event.anchor)[1:-1]} is inside of itself")
        elif isinstance(event, yaml.ScalarEvent):
            count += 1
            if event.anchor is not None:
                sizes[event.anchor] = 1
        elif isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append((event.anchor, count))
            count += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_nodes.pop()
            if anchor is not None:
                sizes[anchor] = count - before
        if len(open_nodes) > MAX_DEPTH:
            raise ValueError(f"nested deeper than {MAX_DEPTH}")
        if count > MAX_NODES:
            raise ValueError(f"over {MAX_NODES} values")


def parse_json(text: str | bytes, where: str, what: str = "not valid JSON") -> Any:
    """Parse a JSON document.

    Args:
        text: JSON; bytes may be UTF-8, UTF-16 or UTF-32.
        where: What messages start with.
        what: How a message says that it is none.

    Raises:
        InputError: It is none, has two equal keys in one object, or is too deep.
    """
    try:
        document = json.loads(text, object_pairs_hook=_object)
        _require_plain(document)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise InputError(f"{where}: {what} ({error.msg} at {place})") from None
    except RecursionError:
        raise InputError(f"{where}: {what} (nested too deep)") from None
    except _PARSER_ERRORS as error:
        raise InputError(f"{where}: {what} ({one_line(error)})") from None
    return document


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        ((twice, _),) = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"the key {short(twice)} is there twice in one object")
    return found


def _require_plain(document: Any) -> None:
    """ValueError if a document is deep, or holds what is no plain value."""
    level = [document]
    for _ in range(MAX_DEPTH + 1):
        inner: list[Any] = []
        for each in level:
            if type(each) is list:
                inner += [child for child in each if type(child) not in _LEAVES]
            elif type(each) is dict:
                inner += [child for child in each.values() if type(child) not in _LEAVES]
                inner += [key for key in each if type(key) is int]
            elif type(each) is int:
                if abs(each) > MAX_NUMBER:
                    raise ValueError(f"{short(each)}, beyond all sizes")
            elif type(each) not in _LEAVES:
                raise ValueError(f"a {type(each).__name__} is no text, number, list or mapping")
        level = inner
    if level:
        raise ValueError(f"nested deeper than {MAX_DEPTH}")


def as_parsed(value: Any) -> Any:
    """A value of ours as `parse_json` gives it back: with lists for tuples, and texts for keys."""
    return json.loads(json.dumps(value))


def parse_xml(content: bytes, where: str, what: str = "not valid XML") -> ElementTree.Element:
    """Parse an XML document, and return its outermost element.

    Raises:
        InputError: It is none, or declares a type of document: entities of its own could make a
            short text endless, and no format that is read here has any.
    """
    if any("<!DOCTYPE".encode(code) in content for code in ("utf-8", "utf-16-le", "utf-16-be")):
        raise InputError(f"{where}: {what} of annotations (it has a <!DOCTYPE ...>)")
    try:
        return ElementTree.fromstring(content)
    except ElementTree.ParseError as error:
        raise InputError(f"{where}: {what} ({error})") from None
    except (*_PARSER_ERRORS, RecursionError) as error:
        raise InputError(f"{where}: {what} ({one_line(error)})") from None


def read_yaml(path: Path, what: str) -> Any:
    """The YAML document in a file, which `what` names in messages.

    Raises:
        InputError: As `read_text` and `parse_yaml`.
    """
    return parse_yaml(read_text(path, what), shown(str(path)), f"{what} is not valid YAML")


def read_json(path: Path, what: str, most: int = MAX_DOCUMENT) -> Any:
    """The JSON document in a file of at most `most` bytes.

    Raises:
        InputError: As `read_bytes` and `parse_json`.
    """
    return parse_json(read_bytes(path, what, most), shown(str(path)), f"{what} is not valid JSON")


def _reason(error: yaml.YAMLError) -> str:
    """What is wrong, and where in the text."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return f"line {error.problem_mark.line + 1}: {error.problem or error.context}"
    return one_line(error)
