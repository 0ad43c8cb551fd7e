"""YAML, JSON and XML of any origin: read, or refused in one line, and never for long."""

import importlib.util
import time

import pytest
import yaml

from weclip.system.errors import InputError
from weclip.system.untrusted import documents
from weclip.system.untrusted.documents import (
    MAX_DEPTH,
    as_parsed,
    parse_json,
    parse_xml,
    parse_yaml,
    read_json,
    read_yaml,
)
from weclip.system.untrusted.text import is_usable

BILLIONS = "a: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"b{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 30)
)

YAML = {
    "equal keys": ("a: 1\na: 2", "line 2: the key 'a' is there twice"),
    "equal keys deep inside": ("a: [{b: 1, b: 2}]", "the key 'b' is there twice"),
    "equal keys, written in two ways": ("a: 1\n'a': 2", "the key 'a' is there twice"),
    "equal numbers": ("1: a\n1.0: b", "the key 1.0 is there twice"),
    "a number of 5,000 digits": ("n: " + "9" * 5000, "5000 digits"),
    "a number of 30 digits": ("n: " + "9" * 30, "beyond all sizes"),
    "a key of 30 digits": ("9" * 30 + ": n", "beyond all sizes"),
    "an empty number": ("!!int ''", "not valid YAML"),
    "a number in words": ("!!float twelve", "not valid YAML"),
    "a truth in words": ("!!bool maybe", "not valid YAML"),
    "a date that is none": ("!!timestamp 2020-99-99", "not valid YAML"),
    "a date": ("!!timestamp 2020-01-01", "a date is no text"),
    "lists in lists": ("[" * 20_000, f"nested deeper than {MAX_DEPTH}"),
    "mappings in mappings": ("{" * 20_000, f"nested deeper than {MAX_DEPTH}"),
    "mappings by indentation": (
        "".join(f"{' ' * i}a:\n" for i in range(200)),
        f"nested deeper than {MAX_DEPTH}",
    ),
    "an alias of itself": ("a: &a [*a]", "the alias *a is inside of itself"),
    "an alias of its mapping": ("&a {b: {c: *a}}", "the alias *a is inside of itself"),
    "billions of aliases": (BILLIONS, "over 200000 values"),
    "an alias of nothing": ("a: *b", "undefined alias"),
    "a list as a key": ("? [a]\n: 1", "is no key"),
    "bytes": ("!!binary aGVsbG8=", "a bytes is no text"),
    "a set": ("!!set {a}", "a set is no text"),
    "pairs": ("!!pairs [a: b]", "a tuple is no text"),
    "Python": ("!!python/object/apply:os.system ['true']", "could not determine a constructor"),
    "a path": ("!!python/object/apply:pathlib.Path ['a']", "could not determine a constructor"),
    "two documents": ("a\n---\nb", "another document"),
    "a control character": ("a: \x1b", "not valid YAML"),
    "an open quote": ("a: 'b", "not valid YAML"),
    "too much": ("# " + "x" * documents.MAX_DOCUMENT, "characters"),
}

JSON = {
    "equal keys": ('{"a": 1, "b": 2, "a": 3}', "the key 'a' is there twice in one object"),
    "equal keys deep inside": ('[{"c": {"a": 1, "a": 1}}]', "the key 'a' is there twice"),
    "a number of 5,000 digits": ("[" + "9" * 5000 + "]", "5000 digits"),
    "a number of 30 digits": ("[-" + "9" * 30 + "]", "beyond all sizes"),
    "lists in lists": ("[" * 100_000 + "]" * 100_000, "nested too deep"),
    "65 lists": ("[" * 66 + "]" * 66, f"nested deeper than {MAX_DEPTH}"),
    "65 objects": ('{"a":' * 66 + "1" + "}" * 66, f"nested deeper than {MAX_DEPTH}"),
    "bytes that are no text": (b"[\xff]", "not valid JSON"),
    "nothing": ("", "line 1, column 1"),
    "half": ('{"a": ', "line 1, column 7"),
    "a comment": ("[1] // one", "Extra data"),
}

XML = {
    "entities": ('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "<!DOCTYPE"),
    "half": ("<a>", "no element found"),
    "nothing": ("", "no element found"),
    "an unknown entity": ("<a>&b;</a>", "undefined entity"),
    "an unknown encoding": ("<?xml version='1.0' encoding='none'?><a/>", "unknown encoding"),
    "a control character": ("<a>&#27;</a>", "not valid XML"),
}


def refused(parse, text, message):
    begin = time.perf_counter()
    with pytest.raises(InputError) as caught:
        parse(text, "my file")
    assert time.perf_counter() - begin < 5
    said = str(caught.value)
    assert said.startswith("my file: ")
    assert message in said
    assert is_usable(said)
    assert len(said) < 400


@pytest.mark.parametrize("kind", YAML)
def test_yaml_is_refused(kind):
    refused(parse_yaml, *YAML[kind])


@pytest.mark.parametrize("kind", JSON)
def test_json_is_refused(kind):
    refused(parse_json, *JSON[kind])


@pytest.mark.parametrize("kind", XML)
def test_xml_is_refused(kind):
    text, message = XML[kind]
    refused(parse_xml, text.encode(), message)


def test_values_of_yaml():
    text = "[1, -2, 1_000, 0xFF, 1e-5, 1., .5, .inf, yes, null, ~, 'x', 2020-01-01, 010, 1:30]"
    values = [1, -2, 1000, 255, 1e-5, 1.0, 0.5, float("inf"), True, None, None, "x"]
    assert parse_yaml(text, "") == [*values, "2020-01-01", "010", "1:30"]
    assert parse_yaml("", "") is None


def test_a_few_aliases_are_fine():
    assert parse_yaml("a: &a [1]\nb: [*a, *a]", "") == {"a": [1], "b": [[1], [1]]}
    assert parse_yaml("a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}", "")["b"] == {"x": 3, "y": 2}


def test_without_libyaml(monkeypatch):
    """The parser in Python, which is there where PyYAML was built without the library in C."""
    monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    spec = importlib.util.find_spec(documents.__name__)
    plain = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(plain)
    assert plain.parse_yaml("a: [1, 1e-5]", "") == {"a": [1, 1e-5]}
    for kind in ("equal keys", "lists in lists", "billions of aliases", "an alias of itself"):
        refused(plain.parse_yaml, *YAML[kind])


def test_values_of_json():
    assert parse_json(b'\xef\xbb\xbf{"a": [1, 2.5, null]}', "") == {"a": [1, 2.5, None]}
    assert parse_json('"a"'.encode("utf-16"), "") == "a"
    deepest = "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1)
    assert parse_json(deepest, "")


def test_what_json_makes_of_values():
    assert as_parsed({"a": (1, 2), 3: None}) == {"a": [1, 2], "3": None}


def test_xml():
    assert parse_xml(b"<a><b c='d'/></a>", "").find("b").get("c") == "d"


def test_files_are_named(tmp_path):
    (tmp_path / "a.yaml").write_text("[")
    with pytest.raises(InputError, match=r"a\.yaml: class list is not valid YAML \(line 2: "):
        read_yaml(tmp_path / "a.yaml", "class list")
    with pytest.raises(InputError, match=r"b\.json: recipe not found"):
        read_json(tmp_path / "b.json", "recipe")
