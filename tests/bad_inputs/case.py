"""One bad input: the files that make it, the command line that meets it, and what must be said."""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

TRAIN = "train --config voc.yaml --out out"
TRAIN_FOLDER = "train --config folder.yaml --out out"
TRAIN_COCO = "train --config coco.yaml --out out"
CHECK = "check --config folder.yaml"
EVALUATE = "evaluate --model run --out out"
PREDICT = "predict --model run --out out"

PREFIX = "weclip: error: "
ANY = "..."


@dataclass(frozen=True)
class Case:
    """A bad input. All paths are relative to the user's folder, which `world.py` makes.

    Attributes:
        name: Unique, for the table and the test's name.
        wrong: What is wrong, for the table.
        command: The command line after `weclip`.
        line: What is said after `weclip: error: `; `...` stands for any text (a library's words,
            say). Of a case that is accepted, a line on standard output, or nothing.
        code: Exit code.
        files: Path -> content, written before the command; text in UTF-8.
        make: Called in the user's folder after the files are written.
        says: Where the line is: `err`, or `out` for findings of `check` and what is accepted.
        writes: Paths below which the command may write all the same.
        needs_permissions: Whether it needs a user whom permissions hold back.
    """

    name: str
    wrong: str
    command: str
    line: str
    code: int = 2
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    make: Callable[[], object] | None = None
    says: Literal["err", "out"] = "err"
    writes: tuple[str, ...] = ()
    needs_permissions: bool = False

    @property
    def arguments(self) -> list[str]:
        """The command line in parts."""
        return shlex.split(self.command)

    def prepare(self) -> None:
        """Make the input in the current folder."""
        for name, content in self.files.items():
            path = Path(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        if self.make is not None:
            self.make()


def fits(text: str, line: str) -> bool:
    """Whether `text` is `line`, whose `...` stand for anything.

    >>> fits("a b c", "a ... c"), fits("a b c d", "a ... c"), fits("a b", "a")
    (True, False, False)
    """
    first, *rest = line.split(ANY)
    if not text.startswith(first):
        return False
    if not rest:
        return text == first
    text = text[len(first) :]
    *middle, last = rest
    for part in middle:
        _, found, text = text.partition(part)
        if part and not found:
            return False
    return text.endswith(last)
