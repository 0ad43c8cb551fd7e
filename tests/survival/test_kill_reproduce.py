"""`weclip reproduce` that is killed anywhere and started again ends with the same table."""

from pathlib import Path

import pytest
from tests.survival import processes
from tests.tasks.reproduce import worlds

pytestmark = pytest.mark.long
SHARES = [index / 8 for index in range(8)]
"""After which share of its writes it is killed."""


@pytest.fixture(scope="module")
def line(tmp_path_factory, clip_file):
    root = worlds.write_voc(tmp_path_factory.mktemp("reproduce") / "data")
    given = ["--root", str(root), "--seeds", "0,1", f"clip.weights={clip_file}"]
    return ["reproduce", "voc", *given, *worlds.QUICK]


def start(line, out, **options):
    return processes.start([*line, "--out", str(out)], out.with_suffix(".txt"), **options)


def finish(line, out: Path) -> int:
    """Let it end; how many files it wrote."""
    process = start(line, out)
    process.join()
    assert process.exitcode == 0, out.with_suffix(".txt").read_text()
    return int(out.with_suffix(".writes").read_text())


def table(out: Path) -> list[str]:
    """The table, without what it was made with."""
    return (out / "table.md").read_text(encoding="utf-8").splitlines()[:-1]


@pytest.fixture(scope="module")
def whole(tmp_path_factory, line):
    """The table of a run that was left alone, and how many files it wrote."""
    out = tmp_path_factory.mktemp("whole") / "out"
    writes = finish(line, out)
    return table(out), writes


@pytest.mark.parametrize("share", SHARES)
def test_killed_while_it_writes(share, tmp_path, line, whole):
    expected, writes = whole
    out = tmp_path / "out"
    process = start(line, out, kill_at_write=int(share * writes))
    process.join()
    assert process.exitcode == -9
    finish(line, out)
    assert table(out) == expected


def test_killed_again_and_again(tmp_path, line, whole):
    """Each time after a few more files, until it ends."""
    out = tmp_path / "out"
    for _ in range(whole[1]):
        process = start(line, out, kill_at_write=15)
        process.join()
        if process.exitcode == 0:
            break
        assert process.exitcode == -9
    assert process.exitcode == 0
    assert table(out) == whole[0]
