"""pyproject.toml, constraints.txt, the imports and the documents agree."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

import weclip

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "weclip"
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
DISTRIBUTION = {
    "PIL": "pillow",
    "skimage": "scikit-image",
    "cv2": "opencv-python-headless",
    "pydensecrf": "pydensecrf2",
    "yaml": "pyyaml",
}
"""Imported name -> distribution, where they differ by more than `_` and `-`."""

OWN = ("weclip", "tests", "examples")

OF_EXAMPLES = {"label-studio-ml"}
"""Installed by those who start the example; docs/examples.md names them."""


def normal(requirement: str) -> str:
    """The normalised name of a requirement such as `Foo_Bar>=1`."""
    match = re.match(r"[\w.-]+", requirement)
    assert match is not None, requirement
    return re.sub(r"[-_.]+", "-", match[0]).lower()


RUNTIME = {normal(r) for r in PROJECT["dependencies"]}
EXTRAS = {
    extra: {normal(r) for r in requirements} - {"weclip"}
    for extra, requirements in PROJECT["optional-dependencies"].items()
}
OPTIONAL = ("onnx", "export", "demo", "crf", "prepare", "geo", "regions")
SHIPPED = ("torch", "fast", "review", *OPTIONAL)
"""Extras that the package itself imports; those of `OPTIONAL` never at the top of a module."""

DIRECT = RUNTIME.union(*EXTRAS.values())


def constraints() -> dict[str, str]:
    """Normalised name -> constraint as written."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return {normal(line): line for line in lines if line and not line.startswith("#")}


def distribution(module: str) -> str:
    for name, known in DISTRIBUTION.items():
        if module == name or module.startswith(f"{name}."):
            return known
    return module.split(".")[0].replace("_", "-").lower()


def imported(tree: ast.AST) -> Iterator[str]:
    """Distributions outside the standard library that a file imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            modules = [str(node.module)]
        else:
            continue
        for module in modules:
            if module.split(".")[0] not in {*sys.stdlib_module_names, *OWN}:
                yield distribution(module)


def imports_of(*folders: str) -> dict[str, set[str]]:
    """Distribution -> files that import it; scripts that made fixtures are run elsewhere."""
    found: dict[str, set[str]] = {}
    paths = (p for folder in folders for p in sorted((ROOT / folder).rglob("*.py")))
    for path in (p for p in paths if not p.match("fixtures/make_*.py")):
        for name in imported(ast.parse(path.read_text(encoding="utf-8"))):
            found.setdefault(name, set()).add(path.relative_to(ROOT).as_posix())
    return found


WITH_TORCH = {"triton"}
"""Comes with PyTorch where there is a GPU, in the version that fits; see docs/dependencies.md."""


def test_one_version():
    assert weclip.__version__ == PROJECT["version"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert str(citation["version"]) == PROJECT["version"]
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## [{PROJECT['version']}]" in changelog


def test_the_package_imports_only_what_it_declares():
    declared = RUNTIME.union(*(EXTRAS[name] for name in SHIPPED), WITH_TORCH)
    found = imports_of("src")
    assert {name: files for name, files in found.items() if name not in declared} == {}


def test_every_runtime_dependency_is_used():
    assert RUNTIME - imports_of("src").keys() == set()


def test_optional_packages_are_imported_where_they_are_needed():
    eager = [
        path.relative_to(ROOT).as_posix()
        for path in sorted(PACKAGE.rglob("*.py"))
        for statement in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(statement, ast.Import | ast.ImportFrom)
        and set(imported(statement)) & {name for each in OPTIONAL for name in EXTRAS[each]}
    ]
    assert not eager, f"imported at the top, so that weclip fails without the extra: {eager}"


def test_tests_and_tools_import_only_what_is_declared():
    found = imports_of("tests", "tools", "benchmarks", "examples")
    folders = ("tools", "benchmarks", "examples")
    own = {normal(path.stem) for folder in folders for path in (ROOT / folder).rglob("*.py")}
    own |= {"crfs-of-test", "shifting-crf"}  # written by tests
    own |= OF_EXAMPLES
    assert {name: files for name, files in found.items() if name not in DIRECT | own} == {}


def test_constraints_pin_every_direct_dependency_and_nothing_else():
    assert constraints().keys() == DIRECT
    loose = [line for line in constraints().values() if not re.fullmatch(r"[\w.-]+==[\w.]+", line)]
    assert not loose


@pytest.mark.parametrize("name", sorted(DIRECT))
def test_every_dependency_is_explained(name: str):
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    explained = [normal(match) for match in re.findall(r"^- `([^`]+)`: \S", page, re.MULTILINE)]
    assert explained.count(name) == 1


def test_the_page_on_installing_names_every_extra():
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| (yes|no) \|$", page, flags=re.MULTILINE))
    assert rows.keys() == EXTRAS.keys()
    with_torch = {name for name in EXTRAS if name == "torch" or brings_torch(name)}
    assert {name for name, brings in rows.items() if brings == "yes"} == with_torch


def brings_torch(extra: str) -> bool:
    """Whether an extra includes the extra `torch`, by way of another too."""
    written = " ".join(PROJECT["optional-dependencies"][extra])
    others = [n for found in re.findall(r"weclip\[([\w,]+)\]", written) for n in found.split(",")]
    return "torch" in others or any(map(brings_torch, others))


def test_every_shipped_file_is_package_data():
    patterns = PYPROJECT["tool"]["setuptools"]["package-data"]["weclip"]
    files = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and path.suffix != ".py" and "__pycache__" not in path.parts
    }
    assert {name for name in files if not any(fnmatch(name, p) for p in patterns)} == set()
    unused = {p for p in patterns if not any(fnmatch(name, p) for name in files)}
    assert not unused, f"patterns of package-data without a file: {unused}"


@pytest.mark.parametrize("name", PROJECT["license-files"])
def test_licence_files_exist(name: str):
    assert (ROOT / name).is_file()


def test_citation_has_the_papers():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    cited = {paper["identifiers"][0]["value"] for paper in citation["references"]}
    assert cited >= {f"arXiv:{n}" for n in ("2406.11189", "2212.09506", "2203.02664", "2103.00020")}
    assert all(paper["authors"] for paper in citation["references"])
