"""How a command line ends: one line on standard error, and an exit code that tells why.

0: done. 1: a run ended early, `predict` left images out, or `check` has warnings. 2: a mistake in
what was given. 75: a signal ended a run between two steps, saved,
or before its report. 130: interrupted.
"""

import sys
from collections.abc import Callable
from contextlib import suppress

import typer
from typer.exceptions import Abort, TyperException

from weclip.system.console import PatientFile
from weclip.system.errors import FULL, InputError, RunError, StoppedError, WriteError, unwritable
from weclip.system.failures import failure, is_out_of_memory, missing_package
from weclip.system.untrusted.text import shown

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells give it; Typer returns it in place of KeyboardInterrupt."""


def run_app(app: typer.Typer, arguments: Callable[[], list[str]]) -> int:
    """Run one command line and return its exit code; a traceback is for our bugs."""
    given: list[str] = []
    try:
        given = arguments()
        result = app(given, standalone_mode=False, prog_name="weclip")
    except InputError as error:
        return _fail(str(error), 2)
    except TyperException as error:
        return _fail(f"{error.format_message() or 'no command given'} (see weclip --help)", 2)
    except (KeyboardInterrupt, Abort):
        result = INTERRUPTED
    except StoppedError as error:
        return _say(str(error), error.exit_code)
    except RunError as error:
        return _fail(str(error), error.exit_code)
    except ModuleNotFoundError as error:
        lacking = missing_package(error)
        if lacking is None:
            raise
        return _fail(str(lacking), 2)
    except (OSError, RuntimeError, MemoryError, ImportError) as error:
        return _failed(error, given[0] if given else "")
    if result == INTERRUPTED:
        return _say("interrupted", INTERRUPTED)
    return result if isinstance(result, int) else 0


def with_what_was_printed(code: int) -> int:
    """The exit code of a process of our own, in which what it printed may be lost.

    A reader who left did not want it; but a full disk below a redirection is said.
    """
    with suppress(OSError):
        sys.stdout.flush()
    if PatientFile.lost is None or code != 0:
        return code
    return _fail(unwritable(PatientFile.lost, "what was printed"), RunError.exit_code)


def _failed(error: Exception, command: str) -> int:
    """Say what the system did to a command; what it did not do is raised again."""
    reason = None
    ours = isinstance(error, WriteError) or getattr(error, "errno", None) in FULL
    if ours or is_out_of_memory(error) or not isinstance(error, OSError):
        reason = failure(error, command)
    elif error.filename is not None:  # a path that the system refuses: too long, no permission
        return _fail(f"{error.filename}: {error.strerror}", 2)
    if reason is None:
        raise error
    return _fail(reason, RunError.exit_code)


def _fail(message: str, code: int) -> int:
    return _say(f"error: {message}", code)


def _say(message: str, code: int) -> int:
    """Show one line; the end that a user asked for is no error."""
    typer.echo(f"weclip: {shown(' '.join(message.split()))}", err=True)
    return code
