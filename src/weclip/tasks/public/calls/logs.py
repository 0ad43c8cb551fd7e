"""What tasks say, as records of the logger `weclip`; and their bar, where it is asked for."""

import io
import logging
from typing import Any

from rich.console import Console
from rich.table import Table

from weclip.system.console import Screen

LOGGER = logging.getLogger("weclip")
LOGGER.addHandler(logging.NullHandler())  # silent until the caller's program sets up logging

WARNINGS = ("warning", "error", "skipped")
"""How lines begin that are logged as warnings."""

WIDTH = 100
"""Letters of a line of a table."""


class _Nowhere(io.StringIO):
    """A file that keeps nothing."""

    def write(self, text: str, /) -> int:
        """Take all."""
        return len(text)


class LogScreen(Screen):
    """A console whose lines and tables are logged; only its bar is drawn, if at all.

    Args:
        progress: Whether a bar is drawn, on standard error or in the notebook.
        warns: Whether all that is said are warnings.
    """

    def __init__(self, *, progress: bool = False, warns: bool = False) -> None:
        if progress:
            super().__init__(stderr=True)
        else:
            super().__init__(file=_Nowhere(), force_jupyter=False, force_terminal=False)
        self._warns = warns
        self.aside = None if warns else LogScreen(warns=True)
        self._as_text = Screen(file=_Nowhere(), width=WIDTH, force_jupyter=False, record=False)

    def print(self, *objects: Any, **options: Any) -> None:
        """Log texts and tables; draw the rest, which is the bar and what is printed beside it."""
        if not objects or not all(isinstance(each, str | Table) for each in objects):
            super().print(*objects, **options)
            return
        log(text_of(self._as_text, *objects, **options), warns=self._warns)


def text_of(console: Console, *objects: Any, **options: Any) -> str:
    """What a console would show, without colours."""
    with console.capture() as captured:
        console.print(*objects, **options)
    return captured.get().strip("\n")


def log(text: str, *, warns: bool = False) -> None:
    """Log a text: what begins as a warning does as a warning, and all that `warns`."""
    first, colon, rest = text.partition(":")
    if warns or (colon and first.split(" ")[0] in WARNINGS):
        LOGGER.warning("%s", rest.strip() if first == "warning" else text)
    else:
        LOGGER.info("%s", f"\n{text}" if "\n" in text else text)
