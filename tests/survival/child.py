"""One command that may be killed; run by `processes.start`, which sets `TASK`.

It is run by its path: in a new process `tests` may be another installed package.
"""

import contextlib
import os
import resource
import signal
import sys
from pathlib import Path

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


def main(
    arguments: list[str],
    output: str,
    kill_at_write: int | None,
    threads: int | None,
    room: int | None,
) -> int:
    """Run a command line with its output in a file; its exit code."""
    if room is not None:
        leave(room)
    if threads is not None:
        torch.set_num_threads(threads)
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
