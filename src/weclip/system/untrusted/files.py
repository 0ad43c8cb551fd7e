"""Reading whole files of unknown origin: only regular ones, up to a size.

A pipe or a device might never end, and a sparse file is as large as it says.
"""

import os
import stat
from pathlib import Path
from typing import BinaryIO

from weclip.system.errors import InputError
from weclip.system.untrusted.text import short, shown

MAX_TABLE = 2**31
"""Bytes of a tags file; COCO's annotations of training have a quarter of that."""

MAX_DOCUMENT = 2**22
"""Bytes of a YAML document, and of what we write ourselves: settings, lists of classes."""

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def _what_is_there(path: Path) -> str:
    """What is in the place of a file."""
    try:
        return _KINDS.get(stat.S_IFMT(path.stat().st_mode), "no file")
    except OSError:
        return "a link that leads nowhere"


def no_file(path: Path) -> InputError:
    """What to say of something that is there in the place of a file."""
    return InputError(
        f"{shown(str(path))}: is {_what_is_there(path)}, not a file; remove or rename it"
    )


def is_folder(path: Path) -> bool:
    """Whether a folder is there; none is under a name that the system refuses, as too long."""
    try:
        return path.is_dir()
    except OSError:
        return False


def is_file(path: Path) -> bool:
    """Whether a file is there; InputError if something else is there under its name."""
    try:
        if path.is_file():
            return True
    except OSError as error:  # a name that the system refuses, as too long
        raise InputError(f"{short(str(path))}: cannot be read ({error.strerror})") from None
    if not os.path.lexists(path):
        return False
    raise no_file(path)


def read_bytes(path: Path, what: str, most: int = MAX_TABLE) -> bytes:
    """The content of a file.

    Args:
        path: The file.
        what: What it should be, for messages, such as `tags file`.
        most: Bytes that are read at most.

    Raises:
        InputError: It is missing, no regular file, too large, or cannot be read.
    """
    try:
        with open(path, "rb", opener=_open_without_waiting) as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise InputError(f"{shown(str(path))}: {what} cannot be read: it is no file")
            size = found.st_size
            if size <= most and len(content := _all_of(file, size, most)) <= most:
                return content
    except FileNotFoundError:
        raise InputError(f"{shown(str(path))}: {what} not found") from None
    except IsADirectoryError:
        raise InputError(f"{shown(str(path))}: {what} cannot be read: it is no file") from None
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{shown(str(path))}: {what} cannot be read ({reason})") from None
    raise InputError(
        f"{shown(str(path))}: {what} has over {most} bytes, more than is read; is it the right "
        "file?"
    )


def _all_of(file: BinaryIO, told: int, most: int) -> bytes:
    """All bytes of an open file, or over `most`; it may be longer than it told."""
    content = file.read(told + 1)
    while len(content) <= most and (more := file.read(2**20)):
        content += more
    return content


def read_text(path: Path, what: str, most: int = MAX_DOCUMENT) -> str:
    """As `read_bytes`, of a text in UTF-8; a mark of its order of bytes is left out."""
    try:
        return read_bytes(path, what, most).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(
            f"{shown(str(path))}: {what} cannot be read; save it as UTF-8 text"
        ) from None


def _open_without_waiting(path: str, flags: int) -> int:
    """Open a pipe too without waiting for somebody who writes."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
