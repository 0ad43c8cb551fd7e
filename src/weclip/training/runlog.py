"""What a run says while it goes: a JSONL log, pictures, a tracker, and a progress bar.

Stage 5.
"""

import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext, suppress
from pathlib import Path
from types import TracebackType
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from weclip.system.errors import InputError
from weclip.system.files import write_atomically, write_text
from weclip.system.untrusted.documents import parse_json

Item = TypeVar("Item")

LOG_NAME = "log.jsonl"
PICTURES = "pictures"


class Board(Protocol):
    """Where the numbers and pictures of a run are shown beside its folder."""

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Show numbers of a step."""

    def picture(self, step: int, name: str, image: NDArray[np.uint8], file: Path) -> None:
        """Show an (H, W, 3) uint8 picture, which also is in a file."""

    def close(self) -> None:
        """Nothing more comes."""


class RunLog:
    """Log of a run folder: `log.jsonl` and `pictures/`, and a board if there is one.

    Args:
        folder: Run folder.
        first_step: Steps already done when the run starts or resumes; lines after them are
            dropped, because those steps are run again.
        evaluated_step: Steps before the last evaluation that counts; lines of later ones, which a
            kill parted from their checkpoint, are dropped too.
        writes: Whether this process writes; all but one of several processes do not.
        board: Is told the same.

    Attributes:
        damaged: Lines that were damaged and are left out.
    """

    def __init__(
        self,
        folder: Path,
        first_step: int,
        *,
        evaluated_step: int = 0,
        writes: bool = True,
        board: Board | None = None,
    ) -> None:
        self.writes, self.board = writes, board
        self.damaged = 0
        if not writes:
            return
        self.path = folder / LOG_NAME
        rows, self.damaged = parse_log(self.path)
        kept = [
            row
            for row in rows
            if row["step"] <= (evaluated_step if is_evaluation(row) else first_step)
        ]
        self.scored = {int(row["step"]) for row in kept if is_evaluation(row)}
        write_text(self.path, "".join(json.dumps(row) + "\n" for row in kept))
        self.file = self.path.open("a", encoding="utf-8")

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Write one line."""
        if not self.writes:
            return
        self.file.write(json.dumps({"step": step, **values}) + "\n")
        self.file.flush()
        if self.board is not None:
            self.board.scalars(step, values)

    def has_scores(self, step: int) -> bool:
        """Whether the log held scores of a step when the run was resumed."""
        return self.writes and step in self.scored

    def picture(self, step: int, name: str, image: NDArray[np.uint8]) -> None:
        """Keep an (H, W, 3) uint8 picture."""
        if not self.writes:
            return
        file = self.path.parent / PICTURES / f"step-{step:09d}.png"
        write_atomically(file, lambda path: Image.fromarray(image).save(path, "PNG"))
        if self.board is not None:
            self.board.picture(step, name, image, file)

    def __enter__(self) -> "RunLog":
        self.hook = threading.excepthook
        threading.excepthook = self._on_thread_error
        return self

    def _on_thread_error(self, arguments: threading.ExceptHookArgs) -> None:
        """TensorBoard's thread raises what its disk does a second time, from the next scalar."""
        if not isinstance(arguments.exc_value, OSError):
            self.hook(arguments)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Closing writes what is left: where that fails too, the first error tells more.
        with suppress(OSError) if error else nullcontext():
            if self.writes:
                self.file.close()
                if self.board is not None:
                    self.board.close()
        threading.excepthook = self.hook


def is_evaluation(row: Mapping[str, float]) -> bool:
    """Whether a line of a log holds the scores of an evaluation."""
    return any(name.startswith("eval_") for name in row)


def read_log(path: Path) -> list[dict[str, float]]:
    """Lines of a JSONL log; see `parse_log`."""
    return parse_log(path)[0]


def parse_log(path: Path) -> tuple[list[dict[str, float]], int]:
    """Lines of a JSONL log.

    Returns:
        The lines, and how many before the last are damaged and left out; a last line that was cut
        off by a kill is left out, too.
    """
    content = path.read_bytes().splitlines() if path.exists() else []
    rows = [_row(line) for line in content]
    return [row for row in rows if row is not None], rows[:-1].count(None)


def _row(line: bytes) -> dict[str, float] | None:
    """A step with its numbers; None if a line is no such thing."""
    try:
        row = parse_json(line, "")
    except InputError:
        return None
    if not isinstance(row, dict) or not all(type(value) in (int, float) for value in row.values()):
        return None
    return row if isinstance(row.get("step"), int) else None


def tracked(items: Iterable[Item], what: str, count: int, console: Console) -> Iterator[Item]:
    """Pass items on under a progress bar, which advances when the next one is asked for.

    Args:
        items: The items.
        what: Shown before the bar.
        count: How many there are.
        console: Where it is shown.
    """
    with progress_bar(console) as progress:
        task = progress.add_task(what, total=count, status="")
        for item in items:
            yield item
            progress.advance(task)


def progress_bar(console: Console) -> Progress:
    """A bar with steps, elapsed and remaining time, and a `status` field for numbers."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=16),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("eta"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[status]}"),
        console=console,
    )
