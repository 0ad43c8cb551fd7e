"""What a run says while it goes: a JSONL log, TensorBoard, and a progress bar.

Stage 5.
"""

import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext, suppress
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from weclip.system.files import write_text

Item = TypeVar("Item")

LOG_NAME = "log.jsonl"


class RunLog:
    """Log of a run folder: `log.jsonl` and `tensorboard/`.

    Args:
        folder: Run folder.
        first_step: Steps already done when the run starts or resumes; lines after them are
            dropped, because those steps are run again.
        evaluated_step: Steps before the last evaluation that counts; lines of later ones, which a
            kill parted from their checkpoint, are dropped too.
        writes: Whether this process writes; all but one of several processes do not.
    """

    def __init__(
        self, folder: Path, first_step: int, *, evaluated_step: int = 0, writes: bool = True
    ) -> None:
        self.writes = writes
        if not writes:
            return
        from torch.utils.tensorboard.writer import SummaryWriter  # slow; the bar needs none of it

        self.path = folder / LOG_NAME
        kept = [
            row
            for row in read_log(self.path)
            if row["step"] <= (evaluated_step if is_evaluation(row) else first_step)
        ]
        write_text(self.path, "".join(json.dumps(row) + "\n" for row in kept))
        self.file = self.path.open("a", encoding="utf-8")
        self.board = SummaryWriter(str(folder / "tensorboard"), purge_step=first_step + 1)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Write one line, and one TensorBoard point per value."""
        if not self.writes:
            return
        self.file.write(json.dumps({"step": step, **values}) + "\n")
        self.file.flush()
        for name, value in values.items():
            self.board.add_scalar(name, value, step)

    def picture(self, step: int, name: str, image: NDArray[np.uint8]) -> None:
        """Show an (H, W, 3) uint8 picture in TensorBoard."""
        if not self.writes:
            return
        self.board.add_image(name, image, step, dataformats="HWC")

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
                self.board.close()
        threading.excepthook = self.hook


def is_evaluation(row: Mapping[str, float]) -> bool:
    """Whether a line of a log holds the scores of an evaluation."""
    return any(name.startswith("eval_") for name in row)


def read_log(path: Path) -> list[dict[str, float]]:
    """Lines of a JSONL log; a last line cut off by a kill is left out."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return rows


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
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("eta"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[status]}"),
        console=console,
    )
