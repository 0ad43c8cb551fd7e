"""What is said to a user: mistakes in what was given, and runs that end early."""

import difflib
import errno
import os
from collections.abc import Iterable

from weclip.system.untrusted.text import shown


class InputError(ValueError):
    """Something given by the user (file, configuration, argument) cannot be used.

    The message says what was given, where, what is allowed and how to fix it, in one line. The
    command line prints it and exits with 2. Whatever a name or value of the user's brings into a
    message, it moves no cursor and is not endless.
    """

    def __init__(self, message: str) -> None:
        super().__init__(_said(message))


LONGEST = 1500
"""Characters of a message."""


def _said(message: str) -> str:
    """A message without control characters; of an endless one the beginning, and the way out."""
    if len(message) > LONGEST:
        message = f"{message[: LONGEST - 300]} ... {message[-290:]}"
    return shown(message)


class Notice(UserWarning):
    """Something that a user should know and that changes no result; shown in one line."""


MADE_EARLIER = "made by an earlier development version; train or label again"
"""Said of a file of ours in an older format."""


class RunError(RuntimeError):
    """A run ended early though nothing given was wrong: no memory, a full disk, a dead process.

    The message says what happened, what is kept and what to do. The command line prints it and
    exits with `exit_code`.
    """

    exit_code = 1


class WriteError(OSError):
    """A result cannot be written: the disk is full, read-only or gone; the file is named.

    The command line prints what to do and exits with 1: nothing given was wrong, since what can be
    tried is tried before the long work.
    """


FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Numbers of the system's errors that say that there is no room."""


def unwritable(error: OSError, unnamed: str = "a file") -> str:
    """What is said where something cannot be written.

    Args:
        error: The system's error.
        unnamed: What is written, where the error does not name it.

    >>> unwritable(OSError(28, "No space left on device", "out/a.png"))
    'cannot write out/a.png (No space left on device); make room there'
    """
    advice = "make room there" if error.errno in FULL else "is the disk still there and writable?"
    path = os.fsdecode(error.filename) if error.filename else unnamed
    return f"cannot write {path} ({error.strerror}); {advice}"


class DivergedError(RunError):
    """A loss or weight became NaN or infinite; the message names step, term and what to try."""


class StoppedError(RunError):
    """A signal asked the run to end; it is saved, and `--resume` continues it."""

    exit_code = 75  # EX_TEMPFAIL of sysexits.h: try again


def missing_or_wrong(error: Exception) -> str:
    """What the layout of a parsed document lacks, from the error that looking into it raised.

    >>> missing_or_wrong(KeyError("images")), missing_or_wrong(KeyError(7))
    ("'images' is missing", 'id 7 is used but not defined')
    """
    if isinstance(error, KeyError) and isinstance(error.args[0], str):
        return f"{error} is missing"
    if isinstance(error, KeyError | IndexError):
        return f"id {error.args[0]} is used but not defined"
    return f"something in it is of the wrong type ({error})"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return "did you mean 'x'?" for the known word nearest to `word`, or an empty text.

    >>> did_you_mean("aeroplan", ["aeroplane", "boat"])
    "did you mean 'aeroplane'?"
    """
    word = word[:100]  # comparing takes the square of its length
    by_lower_case = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), by_lower_case, n=1)
    return f"did you mean '{by_lower_case[near[0]]}'?" if near else ""
