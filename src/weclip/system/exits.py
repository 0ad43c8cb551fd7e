"""How a command line ends: one line on standard error, and an exit code that tells why.

0: done. 1: a run ended early, or `check` has warnings. 2: a mistake in what was given. 75: a signal
ended a run between two steps, saved. 130: interrupted.
"""

import errno

import typer
from typer.exceptions import Abort, TyperException

from weclip.system.errors import InputError, RunError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells give it; Typer returns it in place of KeyboardInterrupt."""


def run_app(app: typer.Typer, arguments: list[str]) -> int:
    """Run one command line and return its exit code; a traceback is for our bugs."""
    try:
        result = app(arguments, standalone_mode=False, prog_name="weclip")
    except InputError as error:
        return _fail(str(error), 2)
    except TyperException as error:
        return _fail(f"{error.format_message() or 'no command given'} (see weclip --help)", 2)
    except (KeyboardInterrupt, Abort):
        result = INTERRUPTED
    except RunError as error:
        return _fail(str(error), error.exit_code)
    except OSError as error:  # a path that the system refuses: too long, no permission, disk full
        if error.filename is None and error.errno not in FULL:
            raise
        return _fail(f"{error.filename or 'cannot write'}: {error.strerror}", 2)
    if result == INTERRUPTED:
        return _fail("interrupted", INTERRUPTED)
    return result if isinstance(result, int) else 0


def _fail(message: str, code: int) -> int:
    typer.echo(f"weclip: error: {' '.join(message.split())}", err=True)
    return code
