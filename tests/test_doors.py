"""Foreign text and files come in by one door each; a raw call elsewhere fails here."""

import ast
from collections.abc import Iterator

import pytest
from tests.test_layout import PACKAGE, parse, python_files, relative

DOORS = {
    "yaml": "system/untrusted/documents.py",
    "json.load": "system/untrusted/documents.py",
    "json.loads": "system/untrusted/documents.py",
    "ElementTree": "system/untrusted/documents.py",
    "OmegaConf.create": "system/untrusted/documents.py",
    "OmegaConf.load": "system/untrusted/documents.py",
    "OmegaConf.from_dotlist": "system/untrusted/documents.py",
    "csv.reader": "data/tags/tables/csv_files.py",
    "csv.DictReader": "data/tags/tables/csv_files.py",
    "Image.open": "data/images/decoding.py",
    "Console": "system/console.py",
    "pickle.load": "",
    "pickle.loads": "",
}
"""What takes in foreign text or files -> the one module that may call it (design.md, rule 13)."""

WRITES = ("yaml.safe_dump", "yaml.YAMLError", "yaml.MarkedYAMLError")


def ways_round_a_door(tree: ast.Module, module: str) -> Iterator[str]:
    """Raw calls of parsers outside their door, and values in messages that nothing bounds."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FormattedValue) and node.conversion == ord("r"):
            yield f"line {node.lineno}: {{{ast.unparse(node.value)}!r}}; use short()"
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        names = (called, called.split(".")[0])
        for name in names:
            if name in DOORS and called not in WRITES and module != DOORS[name]:
                yield f"line {node.lineno}: {called}(...); its door is {DOORS[name] or 'none'}"


def test_foreign_text_and_files_pass_one_door():
    found = [
        f"{relative(path)} {way}"
        for path in python_files("src")
        for way in ways_round_a_door(parse(path), path.relative_to(PACKAGE).as_posix())
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "line",
    [
        "yaml.safe_load(text)",
        "yaml.load(text, Loader=yaml.CSafeLoader)",
        "json.loads(text)",
        "with Image.open(path): pass",
        "ElementTree.fromstring(text)",
        "OmegaConf.create(text)",
        "pickle.loads(content)",
        "f'{value!r} is wrong'",
        "Console().print(name)",
    ],
)
def test_a_way_round_a_door_is_seen(line: str):
    assert list(ways_round_a_door(ast.parse(line), "tasks/check.py"))


@pytest.mark.parametrize("line", ["json.dumps(value)", "parse_json(text, '')", "f'{name}'"])
def test_a_door_may_be_used(line: str):
    assert not list(ways_round_a_door(ast.parse(line), "tasks/check.py"))
