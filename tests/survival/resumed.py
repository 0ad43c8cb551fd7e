"""A command line that is killed and resumed until it ends; what it writes is compared elsewhere."""

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.survival import processes


def start(line: list[str], out: Path, **options: object):
    """Start or resume it; what it prints goes beside its output."""
    return processes.start([*line, "--out", str(out), "--resume"], said(out), **options)


def said(out: Path) -> Path:
    """The file of what it prints."""
    return out.with_suffix(".txt")


def finish(line: list[str], out: Path) -> None:
    """Let it come to its end."""
    process = start(line, out)
    process.join()
    assert process.exitcode == 0, said(out).read_text()


def timed(line: list[str], folder: Path, name: str = "") -> tuple[Path, float]:
    """An output that was left alone, and seconds; an earlier one starts the server of processes.

    Args:
        line: The command without `--out`.
        folder: Where the outputs are.
        name: Of a file that it writes; else it writes a folder.
    """
    for place in ("first", "second"):
        out = folder / place / name
        out.parent.mkdir(exist_ok=True)
        began = time.monotonic()
        finish(line, out)
        seconds = time.monotonic() - began
    return out, seconds


def killed_at_random(
    line: list[str],
    folder: Path,
    planned: int,
    seconds: float,
    look: Callable[[Path], None],
    *,
    name: str = "",
    ended: Callable[[Path], bool] = lambda _: False,
) -> Iterator[Path]:
    """Outputs that came to their end, until there were `planned` kills in all.

    Args:
        line: As in `timed`, and so `folder` and `name`.
        planned: How many kills.
        seconds: The longest time that a command is left alone.
        look: What is looked at after each kill.
        ended: Whether a killed command had nothing left to do, so that it cannot be resumed.
    """
    moments = random.Random(6)
    kills = runs = 0
    while kills < planned:
        out = folder / f"run{runs}" / name
        out.parent.mkdir(exist_ok=True)
        while True:
            process = start(line, out)
            process.join(moments.uniform(0, seconds) if kills < planned else None)
            if process.exitcode is not None:
                assert process.exitcode == 0, said(out).read_text()
                break
            process.kill()
            process.join()
            kills += process.exitcode == -9
            look(out)
            if ended(out):
                break
        yield out
        runs += 1


def killed_at_write(line: list[str], out: Path, writes: int) -> None:
    """Kill it while it writes a file, after so many that are whole; half of that is there then."""
    process = start(line, out, kill_at_write=writes)
    process.join()
    assert process.exitcode == -9
    root = out if out.is_dir() else out.parent
    assert list(root.rglob(".*.tmp")), "no file was half written"
