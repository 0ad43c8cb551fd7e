"""Where tasks show what they do, if anywhere, and what becomes of it where nobody reads on.

Tasks are called from Python without a console too; then they are silent.
"""

import errno
import io
import os
import select
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, ClassVar, TextIO

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from weclip.system.errors import Notice
from weclip.system.untrusted.text import shown, shown_lines


class Screen(Console):
    """A console on which no text that was given moves the cursor or changes a colour.

    Attributes:
        aside: Where warnings go if not here.
    """

    aside: "Screen | None" = None

    def render_str(self, text: str, **options: Any) -> Text:
        """As rich does, of a text whose control characters are written out."""
        return super().render_str(shown_lines(text), **options)


QUIET = Screen(quiet=True)
"""A console that shows nothing."""

_quiet: ContextVar[bool] = ContextVar("quiet", default=False)
"""Whether the command that runs was given `--quiet`."""


@contextmanager
def quietly(quiet: bool) -> Iterator[None]:
    """Let `screen` give, for a while, consoles that show warnings only."""
    before = _quiet.set(quiet)
    try:
        yield
    finally:
        _quiet.reset(before)


def screen(*, quiet: bool = False) -> Screen:
    """The console of a command: standard output.

    With `--quiet` nothing is shown there, and warnings go to standard error.

    Args:
        quiet: Whether nothing is shown at all, not even warnings.
    """
    made = Screen(quiet=quiet or _quiet.get())
    if _quiet.get():
        made.aside = Screen(stderr=True, quiet=quiet)
    return made


def warnings_of(console: Console) -> Console:
    """Where the warnings of a console go."""
    return getattr(console, "aside", None) or console


def warn(console: Console, message: str) -> None:
    """Show what the user should know, in one line."""
    warnings_of(console).print(f"[yellow]warning:[/] {escape(message)}", soft_wrap=True)


READER_HAS_LEFT = (errno.EPIPE, errno.EIO)
"""What writing to a pipe that nobody reads gives, and to a terminal that is closed."""


class PatientFile(io.FileIO):
    """An open output that goes quiet, for good, when nothing can be written there any more.

    A reader that leaves (`| head`), a terminal that is closed and a full disk under a redirection
    are no reason to end the work.

    Attributes:
        lost: Why something could not be written that somebody may yet want to read.
    """

    lost: ClassVar[OSError | None] = None

    def write(self, data: Any, /) -> int:
        """Write what fits; all is taken for written once the output has gone."""
        try:
            written = super().write(data)
            while written is None:  # somebody has made it non-blocking, and it is full
                select.select([], [self], [])
                written = super().write(data)
            return written
        except OSError as error:
            if error.errno not in READER_HAS_LEFT:
                PatientFile.lost = error
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            return memoryview(data).nbytes


def patient_streams() -> None:
    """Let this process's standard output and error be patient, and show every character.

    What their encoding lacks is shown escaped. For a process of our own.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # closed: else the next file that is opened would be taken for it
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = _patient(sys.stdout)
    sys.stderr = _patient(sys.stderr)


def _patient(stream: TextIO | None) -> TextIO:
    if stream is None:
        return Path(os.devnull).open("w", encoding="utf-8", errors="backslashreplace")
    stream.flush()
    file = PatientFile(stream.fileno(), "w", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(file),
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=stream is sys.stderr or stream.isatty(),
    )


def show_notices_in_one_line() -> None:
    """Show our `Notice` warnings as `weclip: warning: ...`, each once; others as Python does."""
    usual = warnings.formatwarning

    def formatted(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        line: str | None = None,
    ) -> str:
        if issubclass(category, Notice):
            return f"weclip: warning: {shown(' '.join(str(message).split()))}\n"
        return usual(message, category, filename, lineno, line)

    warnings.formatwarning = formatted
