"""Every case by the command line: the one right line, the exit code, and nothing touched."""

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tests.bad_inputs import world
from tests.bad_inputs.case import PREFIX, Case, fits
from tests.bad_inputs.corpus import CASES, table
from tests.end_to_end import worlds

from weclip.cli import app as cli

REAL = "misspelt-option json-is-input convert-code weights-html image-jpeg-cut-off".split()
"""Cases that are also run as a command of their own."""


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return world.build(tmp_path_factory.mktemp("bad_inputs") / "user")


@pytest.fixture
def user(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh copy of the user's folder, which is the current one."""
    folder = shutil.copytree(template, tmp_path / "user", symlinks=True)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    return folder


@pytest.fixture
def locked_file(tmp_path: Path) -> Path:
    """A file without permission to read it."""
    path = tmp_path / "locked"
    path.touch(mode=0)
    return path


def touched(before: dict[str, world.State], after: dict[str, world.State]) -> set[str]:
    return {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}


def check_said(case: Case, out: str, err: str) -> None:
    """One line where it belongs, and nothing else on standard error."""
    if case.says == "out":
        assert err == ""
        assert any(fits(line.strip(), case.line) for line in out.splitlines()), out
        return
    assert err.count("\n") == 1, err
    assert err.endswith("\n")
    assert fits(err.rstrip("\n"), PREFIX + case.line), err


def check_untouched(case: Case, before: dict[str, world.State], user: Path) -> None:
    declared = [Path(place) for place in case.writes]
    wrong = {
        path
        for path in touched(before, world.snapshot(user))
        if not any(Path(path).is_relative_to(place) for place in declared)
    }
    assert not wrong, f"changed, added or removed: {sorted(wrong)}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_refused_in_one_line_and_nothing_is_touched(case, user, locked_file, capsys):
    if case.needs_permissions and os.access(locked_file, os.R_OK):
        pytest.skip("permissions do not hold here, as for root")
    case.prepare()
    before = world.snapshot(user)
    capsys.readouterr()
    sys.stderr.reconfigure(errors="backslashreplace")  # as outside of tests, for names of files
    code = cli.run(case.arguments)
    said = capsys.readouterr()
    check_said(case, said.out, said.err)
    assert code == case.code
    check_untouched(case, before, user)


@pytest.mark.parametrize("name", REAL)
def test_as_a_command_of_its_own(name, user):
    case = next(case for case in CASES if case.name == name)
    case.prepare()
    before = world.snapshot(user)
    done = weclip(*case.arguments)
    check_said(case, done.stdout, done.stderr)
    assert done.returncode == case.code
    check_untouched(case, before, user)


def weclip(*arguments: str, **options: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "weclip", *arguments]
    return subprocess.run(command, capture_output=True, text=True, **options)


def test_names_are_unique_and_the_corpus_is_large():
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names) >= 140
    assert all(case.line for case in CASES)


def test_the_table_agrees():
    path = Path(__file__).with_name("README.md")
    assert path.read_text(encoding="utf-8") == table(), "run python -m tests.bad_inputs"


def test_a_full_disk_is_one_line_and_leaves_no_half_file(user):
    """A limit on the size of files stands for the disk: both fail in the middle of writing."""
    worlds.write_released(user / "run", user / "a.pth")
    limit = 20_000  # bytes; the model file is larger
    done = weclip(
        *("import", "a.pth", "--config", "voc.yaml", "--out", "out"),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    line = f"{PREFIX}cannot write out/model.safetensors (File too large); make room there\n"
    assert done.stderr == line
    assert done.returncode == 1
    assert [path.name for path in (user / "out").iterdir()] == ["run.json"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_output_to_a_full_disk_is_one_line(user):
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "weclip", "check", "--config", "folder.yaml"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    line = "cannot write what was printed (No space left on device); make room there"
    assert done.stderr == f"{PREFIX}{line}\n"
    assert done.returncode == 1


def test_a_run_may_have_the_name_of_a_class_list(user):
    """`--overwrite` protects the user's inputs, which the shipped list `voc` is not."""
    (user / "run").rename("voc")
    assert cli.run("train --config voc.yaml --out voc --overwrite train.steps=1".split()) == 0


def test_crf_that_is_not_installed(user, capsys, monkeypatch):
    for name in ("pydensecrf", "pydensecrf.densecrf"):
        monkeypatch.setitem(sys.modules, name, None)
    before = world.snapshot(user)
    assert cli.run("evaluate --model run --out out eval.crf=true".split()) == 2
    message = capsys.readouterr().err
    assert message.startswith(PREFIX)
    assert "weclip[crf]" in message
    assert message.count("\n") == 1
    assert world.snapshot(user) == before


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        ("a b c", "a b c", True),
        ("a b c", "a b", False),
        ("a b c", "b c", False),
        ("a (x) c", "a (...) c", True),
        ("a c", "a (...) c", False),
        ("a 1 b 2 c", "a ... b ... c", True),
        ("a 1 b 2 c d", "a ... b ... c", False),
    ],
)
def test_a_line_fits(text, line, expected):
    assert fits(text, line) is expected
