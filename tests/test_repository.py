"""What lies in the repository: known names in its root, small files, no folder of one machine."""

import re
from collections.abc import Iterator
from pathlib import Path
from subprocess import run

import pytest
from tests.test_layout import PACKAGE, ROOT, relative

MAX_DATA_BYTES = 16 * 2**20
ROOT_NAMES = set(
    ".ci .dockerignore .gitattributes .github .gitignore .pre-commit-config.yaml CHANGELOG.md "
    "CITATION.cff CONTRIBUTING.md Dockerfile LICENSE MANIFEST.in Makefile NOTICE README.md "
    "SECURITY.md benchmarks constraints.txt docs examples mkdocs.yml pyproject.toml src tests "
    "tools".split()
)
# A machine's own folders. Preceded by a letter, a dot or a brace they are part of something else.
MACHINE_PATH = re.compile(r"(?<![\w./{}<>-])/(?:work|root|home)\b")
GENERATED = {"runs", "build", "dist", "site", "__pycache__"}
TEXT_SUFFIXES = set(" .cfg .cff .css .html .in .ipynb .md .py .toml .txt .yaml .yml".split(" "))


def tracked_files() -> list[str]:
    """Files of the repository by their names; skips where there is no git."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: which files belong to the repository is unknown")
    listed = run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return listed.stdout.splitlines()


def test_only_known_names_lie_in_the_root():
    unknown = {name.split("/")[0] for name in tracked_files()} - ROOT_NAMES
    assert not unknown, f"move them, or add them to ROOT_NAMES: {sorted(unknown)}"


def test_the_manifest_names_only_what_exists():
    lines = (ROOT / "MANIFEST.in").read_text(encoding="utf-8").splitlines()
    named = [
        name
        for line in lines
        if line.startswith(("include ", "graft "))
        for name in line.split()[1:]
    ]
    assert named
    missing = [name for name in named if not (ROOT / name).exists()]
    assert not missing


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
        hidden = path.name.startswith(".") and path.name not in (".ci", ".github")
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
