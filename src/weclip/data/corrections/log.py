"""`corrected/log.jsonl`: one line for each thing that a person did; only ever appended to.

Stage 1. A line is an object with the keys

    time     when, ISO 8601 with the offset from UTC
    image    name of the image, with `/` and no suffix; null for an action on the classes
    action   accept, reject, skip, open, mask, tags, class
    what     its details, for people: class names in the mask, tags; of a class its id and names

A killed process can leave half a line at the end. It was confirmed to nobody: readers pass it over,
and the next writer cuts it off.
"""

import errno
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from weclip.system.errors import InputError, WriteError
from weclip.system.untrusted.documents import parse_json
from weclip.system.untrusted.files import is_file, read_bytes
from weclip.system.untrusted.text import is_usable, short, shown

LOG_NAME = "log.jsonl"
DECISIONS = ("accept", "reject", "skip", "open")
EDITS = ("mask", "tags")
CLASS = "class"
ACTIONS = (*DECISIONS, *EDITS, CLASS)


@dataclass(frozen=True)
class Action:
    """One line.

    Attributes:
        image: Name of the image; None for an action on the classes.
        action: One of `ACTIONS`.
        what: Its details, JSON values.
        time: When; now if it is left out.
    """

    image: str | None
    action: str
    what: Any = None
    time: str = ""

    def to_line(self) -> str:
        """As it stands in the file."""
        now = datetime.now().astimezone().isoformat(timespec="milliseconds")
        line = {"time": self.time or now, "image": self.image, "action": self.action}
        return json.dumps(line | {"what": self.what}, ensure_ascii=False) + "\n"


def read_log(folder: Path) -> list[Action]:
    """The actions in a folder of corrections, in their order; none where there is no log.

    Raises:
        InputError: A line is no action, or names an image by a path out of the folder.
    """
    path = folder / LOG_NAME
    if not is_file(path):
        return []
    whole = read_bytes(path, "log of corrections").rpartition(b"\n")[0]
    lines = whole.split(b"\n") if whole else []
    return [_action(line, f"{shown(str(path))}, line {n}") for n, line in enumerate(lines, 1)]


def _action(line: bytes, where: str) -> Action:
    found = parse_json(line, where, "no action of weclip review")
    try:
        action = Action(found["image"], found["action"], found.get("what"), str(found["time"]))
    except (KeyError, TypeError, AttributeError):
        raise InputError(f"{where}: no action of weclip review; remove the line") from None
    if action.action not in ACTIONS:
        raise InputError(f"{where}: unknown action {short(action.action)}; remove the line")
    if (action.image is None) != (action.action == CLASS):
        raise InputError(f"{where}: '{action.action}' with the image {short(action.image)}")
    if action.image is not None:
        require_inside(action.image, where)
    return action


def require_inside(name: Any, where: str) -> None:
    """InputError unless a name of an image stays in the folder that it is looked up in."""
    if not isinstance(name, str) or not name or not is_usable(name):
        raise InputError(f"{where}: {short(name)} is no name of an image")
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or path.as_posix() != name:
        raise InputError(f"{where}: {short(name)} is no name inside the folder")


def append(folder: Path, actions: Iterable[Action]) -> None:
    """Add lines, which are on the disk when this returns.

    Raises:
        WriteError: They cannot be written; no part of them stays.
    """
    path = folder / LOG_NAME
    content = "".join(action.to_line() for action in actions).encode()
    try:
        with path.open("ab", buffering=0) as file:
            before = file.tell()
            try:
                written = file.write(content)
                if written != len(content):
                    raise OSError(errno.ENOSPC, "No space left on device")
                os.fsync(file.fileno())
            except OSError:
                file.truncate(before)
                raise
    except OSError as error:
        raise WriteError(error.errno, error.strerror, str(path)) from error


def cut_half_line(folder: Path) -> None:
    """Remove what a killed writer left of a line at the end; the folder must be held."""
    path = folder / LOG_NAME
    if not is_file(path):
        return
    content = read_bytes(path, "log of corrections")
    if content and not content.endswith(b"\n"):
        with path.open("r+b") as file:
            file.truncate(content.rfind(b"\n") + 1)
