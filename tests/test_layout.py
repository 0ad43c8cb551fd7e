"""The plan of the house, enforced: import order, sizes, and what never appears."""

import ast
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "weclip"
COMMAND_LINES = set((PACKAGE / "cli").rglob("*.py"))
COMMANDS_IN_PYTHON = set((PACKAGE / "tasks" / "public").glob("*.py"))

STAGES = ("data", "backbones", "labels", "methods", "training", "inference")
ORDER = (
    "system",
    "parts",
    "plugins",
    *STAGES,
    "exports",
    "config_labels",
    "config",
    "config_schema",
    "config_rules",
    "config_changes",
    "config_file",
    "class_texts",
    "build",
    "prepare",
    "review",
    "tasks",
    "demo",
    "cli",
    "__main__",
)
"""Each part of the package imports itself and parts before it, so no stage sees `config`."""

MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 80
MEDIAN_FUNCTION_LINES = 15
MAX_ARGUMENTS = 8
MAX_OPTIONS = 12  # of a command: its function's arguments
MAX_OPTIONS_IN_PYTHON = 16  # and `clip`, `overrides`, `progress` and values by key
MAX_MODULES = 10  # of a room

FORBIDDEN_NAMES = {"print", "cuda", "os.environ", "os.getenv", "sys.path"}
VAGUE_MODULES = {"utils", "util", "misc", "helpers", "common"}

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


def python_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def functions(path: Path) -> Iterator[FunctionNode]:
    return (node for node in ast.walk(parse(path)) if isinstance(node, FunctionNode))


def lines_of(function: FunctionNode) -> int:
    assert function.end_lineno is not None
    return function.end_lineno - function.lineno + 1


def part_of(path: Path) -> str:
    """`data` for weclip/data/layouts/voc.py, `plugins` for weclip/plugins.py."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported_parts(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and part of every import of our own package, wherever in the file it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            if node.level:
                names = [f"weclip.{'.' * node.level}"]  # relative: no part has this name
        else:
            continue
        for name in names:
            if name.split(".")[0] == "weclip":
                yield node.lineno, [*name.split("."), ""][1]


def order_violations(part: str, tree: ast.Module) -> list[str]:
    """`line N: imports X` for every import of a part that does not come before `part`."""
    allowed = {part, *ORDER[: ORDER.index(part)]}
    return [
        f"line {line}: {part} imports {other or 'weclip'}"
        for line, other in imported_parts(tree)
        if other not in allowed
    ]


def all_modules() -> list[Path]:
    return [path for path in python_files("src") if path != PACKAGE / "__init__.py"]


def test_imports_follow_the_order():
    unknown = {part_of(path) for path in all_modules()} - {*ORDER, "presets"}
    assert not unknown, f"add {unknown} to ORDER"
    found = [
        f"{relative(path)} {violation}"
        for path in all_modules()
        if part_of(path) != "presets"
        for violation in order_violations(part_of(path), parse(path))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("part", "line"),
    [
        ("data", "from weclip.labels.maps.gradcam import Cam"),
        ("training", "from weclip.config import Config"),
        ("labels", "from weclip import methods"),
        ("methods", "def f():\n    import weclip.build"),
        ("inference", "from weclip import load"),
        ("training", "from .loop import fit"),
        ("data", "import weclip"),
    ],
)
def test_a_wrong_import_is_seen(part: str, line: str):
    assert order_violations(part, ast.parse(line))


@pytest.mark.parametrize(
    ("part", "line"),
    [
        ("labels", "from weclip.backbones.clip.image_encoder import ClipImageEncoder"),
        ("labels", "from weclip.labels.maps.gradcam import Cam"),
        ("data", "from weclip.system.errors import InputError"),
        ("build", "from weclip.config import Config"),
        ("data", "import torch"),
    ],
)
def test_a_right_import_passes(part: str, line: str):
    assert not order_violations(part, ast.parse(line))


def modules_in(room: Path) -> list[str]:
    return sorted(p.name for p in room.glob("*.py") if p.stem not in ("__init__", "__main__"))


def test_no_room_is_crowded():
    rooms = [PACKAGE, *(path for path in PACKAGE.rglob("*") if (path / "__init__.py").exists())]
    crowded = {
        relative(room): len(modules_in(room))
        for room in rooms
        if len(modules_in(room)) > MAX_MODULES
    }
    assert not crowded, f"over {MAX_MODULES} modules: {crowded}"


def test_no_file_is_long():
    sizes = {
        relative(path): len(path.read_text(encoding="utf-8").splitlines())
        for path in python_files("src", "tests", "tools", "benchmarks", "examples")
    }
    long = {name: size for name, size in sizes.items() if size > MAX_FILE_LINES}
    assert not long, f"over {MAX_FILE_LINES} lines: {long}"


def test_no_function_is_long():
    long = [
        f"{relative(path)}:{function.lineno} {function.name} has {lines_of(function)}"
        for path in python_files("src", "tests", "tools", "benchmarks", "examples")
        for function in functions(path)
        if lines_of(function) > MAX_FUNCTION_LINES
    ]
    assert not long, f"over {MAX_FUNCTION_LINES} lines:\n" + "\n".join(long)


def test_most_functions_are_short():
    sizes = [lines_of(function) for path in python_files("src") for function in functions(path)]
    assert median(sizes) < MEDIAN_FUNCTION_LINES


def count_arguments(function: FunctionNode) -> int:
    given = function.args
    names = [a.arg for a in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    if names and names[0] in ("self", "cls"):
        names = names[1:]
    return len(names) + (given.vararg is not None) + (given.kwarg is not None)


def most_arguments(path: Path) -> int:
    if path in COMMANDS_IN_PYTHON:
        return MAX_OPTIONS_IN_PYTHON
    return MAX_OPTIONS if path in COMMAND_LINES else MAX_ARGUMENTS


def test_no_function_takes_many_arguments():
    many = [
        f"{relative(path)}:{function.lineno} {function.name} takes {count_arguments(function)}"
        for path in python_files("src")
        for function in functions(path)
        if count_arguments(function) > most_arguments(path)
    ]
    assert not many, f"over {MAX_ARGUMENTS} arguments:\n" + "\n".join(many)


def forbidden_uses(tree: ast.Module) -> Iterator[str]:
    """Calls of `print` and `.cuda`, and any use of the environment or the import path."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).split(".")[-1]
            qualified = isinstance(node.func, ast.Attribute)
            if (name == "cuda" and qualified) or (name == "print" and not qualified):
                yield f"line {node.lineno}: {name}(...)"
        elif isinstance(node, ast.Attribute) and ast.unparse(node) in FORBIDDEN_NAMES:
            yield f"line {node.lineno}: {ast.unparse(node)}"
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if f"{node.module}.{alias.name}" in FORBIDDEN_NAMES:
                    yield f"line {node.lineno}: {node.module}.{alias.name}"


def test_nothing_forbidden_in_the_package():
    found = [
        f"{relative(path)} {use}"
        for path in python_files("src")
        for use in forbidden_uses(parse(path))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "line",
    ["model.cuda()", "print(1)", "os.environ['X']", "from os import environ", "sys.path.append(1)"],
)
def test_a_forbidden_use_is_seen(line: str):
    assert list(forbidden_uses(ast.parse(line)))


def test_a_console_may_print():
    assert not list(forbidden_uses(ast.parse("console.print(torch.cuda.is_available())")))


def test_every_module_says_what_it_is():
    silent = [
        relative(path)
        for path in python_files("src", "tools", "benchmarks", "examples")
        if not ast.get_docstring(parse(path))
    ]
    assert not silent, f"no module docstring: {silent}"


def test_no_module_has_a_vague_name():
    vague = [relative(path) for path in python_files("src", "tests") if path.stem in VAGUE_MODULES]
    assert not vague
