"""docs/differences.md names tests and configuration keys that exist, and every quirk."""

import ast
import re
from dataclasses import asdict
from functools import reduce
from pathlib import Path

from tests.configs import new_config

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "differences.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py(?:::\w+)*)`", TEXT)))
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TEXT.splitlines()
    if line.startswith("|") and not line.startswith("|---")
]


def definitions(node):
    """Names of functions and classes directly inside a node, with their nodes."""
    wanted = (ast.FunctionDef, ast.ClassDef)
    return {child.name: child for child in node.body if isinstance(child, wanted)}


def test_named_tests_exist():
    assert len(NAMED) > 20
    for name in NAMED:
        path, *parts = name.split("::")
        node = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        for part in parts:
            assert part in definitions(node), name
            node = definitions(node)[part]


def test_every_row_names_a_test_and_a_switch():
    rows = [row for row in ROWS if row[-1] != "Test"]
    assert len(rows) > 20
    for row in rows:
        assert len(row) == 4, row
        assert row[3].strip("`") in NAMED, row
        assert "::" in row[3], row
        if row[2] != "-":
            reduce(getattr, row[2].strip("`").split("."), new_config())


def test_every_quirk_has_a_row():
    switches = [row[2] for row in ROWS]
    for name in asdict(new_config().quirks):
        assert switches.count(f"`quirks.{name}`") == 1
