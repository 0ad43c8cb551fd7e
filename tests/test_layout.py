"""The plan of the house, enforced: import order, sizes, and what never appears."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "weclip"
COMMAND_LINES = {PACKAGE / "cli.py", *(PACKAGE / "commands").glob("*_line.py")}

STAGES = ("data", "backbones", "labels", "methods", "training", "inference")
ORDER = (
    "errors",
    "exits",
    "allocator",
    "files",
    "processes",
    "distributed",
    "provenance",
    *STAGES,
    "exports",
    "config",
    "config_rules",
    "config_file",
    "build",
    "api",
    "prepare",
    "commands",
    "demo",
    "cli",
    "__main__",
)
"""Each part of the package imports itself and parts before it, so no stage sees `config`."""

MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 80
MEDIAN_FUNCTION_LINES = 15
MAX_ARGUMENTS = 8
MAX_OPTIONS = 11  # of a command: its function's arguments
MAX_DATA_BYTES = 16 * 2**20

FORBIDDEN_NAMES = {"print", "cuda", "os.environ", "os.getenv", "sys.path"}
VAGUE_MODULES = {"utils", "util", "misc", "helpers", "common"}
# A machine's own folders. Preceded by a letter, a dot or a brace they are part of something else.
MACHINE_PATH = re.compile(r"(?<![\w./{}<>-])/(?:work|root|home)\b")
GENERATED = {"runs", "build", "dist", "__pycache__"}
TEXT_SUFFIXES = {"", ".cfg", ".cff", ".html", ".in", ".md", ".py", ".toml", ".txt", ".yaml"}

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
    """`data` for weclip/data/voc.py, `build` for weclip/build.py."""
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
        ("data", "from weclip.labels.cam import Cam"),
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
        ("labels", "from weclip.backbones.clip_image import ClipImageEncoder"),
        ("labels", "from weclip.labels.cam import Cam"),
        ("data", "from weclip.errors import InputError"),
        ("build", "from weclip.config import Config"),
        ("data", "import torch"),
    ],
)
def test_a_right_import_passes(part: str, line: str):
    assert not order_violations(part, ast.parse(line))


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


def test_no_function_takes_many_arguments():
    many = [
        f"{relative(path)}:{function.lineno} {function.name} takes {count_arguments(function)}"
        for path in python_files("src")
        for function in functions(path)
        if count_arguments(function) > (MAX_OPTIONS if path in COMMAND_LINES else MAX_ARGUMENTS)
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


def test_shipped_files_are_small():
    large = {
        relative(path): path.stat().st_size
        for path in PACKAGE.rglob("*")
        if path.is_file() and path.stat().st_size > MAX_DATA_BYTES
    }
    assert not large


def text_files(folder: Path = ROOT) -> Iterator[Path]:
    """Text files of the repository, without environments, caches and outputs."""
    for path in sorted(folder.iterdir()):
        hidden = path.name.startswith(".") and path.name != ".ci"
        if path.is_dir():
            if not hidden and path.name not in GENERATED and path.suffix != ".egg-info":
                yield from text_files(path)
        elif path.suffix in TEXT_SUFFIXES and path.name != ".git":  # a file in a work tree
            yield path


def test_no_file_names_a_folder_of_one_machine():
    found = [
        f"{relative(path)}:{number}: {line.strip()}"
        for path in text_files()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if MACHINE_PATH.search(line)
    ]
    assert not found, "\n".join(found)
