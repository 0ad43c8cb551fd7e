"""A report is the last thing that a command makes; what goes wrong in it costs no result."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from weclip.system.console import warn
from weclip.system.errors import StoppedError
from weclip.system.untrusted.text import one_line


@contextmanager
def harmless(console: Console, name: str) -> Iterator[None]:
    """Turn any error into a line of warning: masks, model and scores are saved before.

    Raises:
        StoppedError: A signal came.
    """
    try:
        yield
    except StoppedError:
        raise
    except Exception as error:
        said = one_line(error) or type(error).__name__
        warn(console, f"{said}; so there is no {name}")
