"""One command that may be killed; run by `processes.start`, which sets `TASK`.

It is run by its path: in a new process `tests` may be another installed package.
"""

import contextlib
import os
import resource
import signal
import sys
from pathlib import Path
from typing import NoReturn

import torch

import weclip.system.files
from weclip.cli import app as cli


class KillingOs:
    """The module `os`, but one call of `fsync`, between writing and renaming, is the end."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.written = 0

    def __getattr__(self, name: str) -> object:
        return getattr(os, name)

    def fsync(self, descriptor: int) -> None:
        """Flush a file, or cut it in half and die."""
        if self.count == 0:
            path = Path(f"/proc/self/fd/{descriptor}").resolve()
            os.truncate(path, path.stat().st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)
        self.count -= 1
        self.written += 1
        os.fsync(descriptor)


def leave(room: int) -> None:
    """Let this process take `room` more bytes of address space, and no more."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + room
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def as_a_command(arguments: list[str], stream: str) -> NoReturn:
    """Run it as `weclip ARGUMENTS` is run, with these standard streams."""
    reader, writer = os.pipe()
    os.close(reader)
    opened = writer if stream == "gone" else os.open(stream, os.O_WRONLY)
    for standard in (1, 2):
        os.dup2(opened, standard)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
    sys.argv = ["weclip", *arguments]
    cli.main()
    raise AssertionError("a command ends by its exit code")


def main(
    arguments: list[str],
    output: str,
    kill_at_write: int | None,
    room: int | None,
    stream: str | None,
) -> int:
    """Run a command line with its output in a file; its exit code."""
    if room is not None:
        leave(room)
    torch.set_num_threads(1)  # tiny work is quick with one, however busy the cores are
    if stream is not None:
        as_a_command(arguments, stream)
    system = KillingOs(sys.maxsize if kill_at_write is None else kill_at_write)
    weclip.system.files.os = system  # type: ignore[assignment]
    with (
        Path(output).open("a") as file,
        contextlib.redirect_stdout(file),
        contextlib.redirect_stderr(file),
    ):
        code = cli.run(arguments)
    Path(output).with_suffix(".writes").write_text(str(system.written))
    return code


if __name__ == "__main__":
    sys.exit(main(**globals()["TASK"]))
