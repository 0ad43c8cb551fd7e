"""Who works in an output folder: a lock of the operating system on a file in it.

Death releases it, whatever the death. Shards of one work hold it together; nobody else may. A
command that writes one file holds that file alone.
"""

import errno
import json
import os
import platform
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from weclip.system.errors import InputError, Notice
from weclip.system.untrusted.documents import parse_json

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOCK_NAME = ".lock"
LOCKS = ".*lock"
"""Pattern of all lock files."""

_BUSY = (errno.EACCES, errno.EAGAIN)
_held: dict[int, Path] = {}  # open file -> its path


class InUse(InputError):
    """Somebody else holds a lock."""


@dataclass(frozen=True)
class _Place:
    """What is held.

    Attributes:
        named: As it is called in messages, such as `--out runs/a`.
        lock: The lock file.
    """

    named: str
    lock: Path


@contextmanager
def working_in(
    out: Path, what: str, *, shared: bool = False, first: bool = True, option: str = "--out"
) -> Iterator[None]:
    """Hold the lock of an output folder, which is made if needed, and removed if it stays empty.

    Args:
        out: The folder.
        what: What is done in it, such as `training`, for whom it is refused to.
        shared: Whether others may hold it so too.
        first: Whether this is the process that writes; the others hold nothing.
        option: How the folder was given.

    Raises:
        InUse: Somebody else holds it.
        InputError: Nothing can be written there.
    """
    if not first:
        yield
        return
    if out.exists() and not out.is_dir():
        raise InputError(f"{option} {out} is a file; give a folder")
    with _holding(_Place(f"{option} {out}", out / LOCK_NAME), what, shared=shared):
        yield


@contextmanager
def working_on(
    file: Path, what: str, *, first: bool = True, option: str = "--out"
) -> Iterator[None]:
    """Hold the lock of one output file; others may be written in its folder meanwhile.

    Args:
        file: The file, which need not be there.
        what: As in `working_in`.
        first: As in `working_in`.
        option: As in `working_in`; empty for an argument without one.

    Raises:
        InUse: Somebody else holds it.
        InputError: Nothing can be written there.
    """
    if not first:
        yield
        return
    whole = file if file.name not in ("", "..") else file.resolve()  # `.` and `..` are no names
    start = os.fsdecode(os.fsencode(whole.name)[:200])  # a name may have 255 bytes
    lock = whole.with_name(f".{start}{LOCK_NAME}")
    with _holding(_Place(f"{option} {file}".strip(), lock), what, shared=False):
        yield


@contextmanager
def _holding(place: _Place, what: str, *, shared: bool) -> Iterator[None]:
    made = _make(place)
    try:
        file = _lock(place, what, shared=shared)
        try:
            yield
        finally:
            _release(file, place.lock)
    finally:
        for folder in made:  # the innermost first
            with suppress(OSError):
                folder.rmdir()


def require_unlocked(out: Path) -> None:
    """InputError if another process works in a folder or below it."""
    if fcntl is None:
        return
    for path in out.rglob(LOCKS):
        if path in _held.values():
            continue
        with path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno in _BUSY:
                    raise _taken(_Place(f"--out {path.parent}", path)) from None


def _make(place: _Place) -> list[Path]:
    """Make a folder; those that were not there, the innermost first."""
    out = place.lock.parent
    missing = [folder for folder in (out, *out.parents) if not folder.exists()]
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{place.named} cannot be made ({error.strerror})") from None
    return missing


def _lock(place: _Place, what: str, *, shared: bool) -> int | None:
    """The locked file; None where the system has no locks."""
    path = place.lock
    while True:
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            raise InputError(
                f"{place.named}: nothing can be written there ({error.strerror}); choose another "
                "folder or make it writable"
            ) from None
        try:
            if fcntl is None:
                raise OSError(errno.ENOTSUP, "no locks")
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError as error:
            os.close(file)
            if error.errno in _BUSY:
                raise _taken(place) from None
            with suppress(OSError):
                path.unlink()
            warnings.warn(
                f"{path.parent}: its file system has no locks ({error.strerror}); see to it that "
                "no second command writes there",
                Notice,
                stacklevel=2,
            )
            return None
        if _is_at(file, path):
            break
        os.close(file)  # whoever held it has just removed it
    _held[file] = path
    with suppress(OSError):  # a full disk is said by who writes results
        if not shared:
            os.ftruncate(file, 0)
        os.write(file, (json.dumps(_self(what)) + "\n").encode())
    return file


def _release(file: int | None, path: Path) -> None:
    """Give the lock back; the last holder removes its file."""
    if file is None or file not in _held:
        return
    del _held[file]
    with suppress(OSError):  # others share it, or the folder has gone
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_at(file, path):
            path.unlink()
    os.close(file)


def _is_at(file: int, path: Path) -> bool:
    """Whether an open file is still the one that has a name."""
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except OSError:
        return False


def _self(what: str) -> dict[str, Any]:
    since = datetime.now().astimezone().isoformat(timespec="seconds")
    return {"what": what, "process": os.getpid(), "host": platform.node(), "since": since}


def _taken(place: _Place) -> InUse:
    """What is said of a place that somebody else works in."""
    holders = [_told(line) for line in _lines(place.lock)]
    who = " and ".join(text for text in holders if text) or "another process"
    return InUse(f"{place.named}: {who} works there now; wait for its end, or choose another place")


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _told(line: str) -> str:
    """Who a line of the lock file names; nobody if that process has ended, or it is damaged."""
    try:
        holder = parse_json(line, "lock")
        process, host = int(holder["process"]), str(holder["host"])
        if host == platform.node():
            os.kill(process, 0)
        return f"a {holder['what']} (process {process} on {host}, since {holder['since']})"
    except PermissionError:
        return f"process {process} on {host}"
    except (ValueError, KeyError, TypeError, OSError, RecursionError, OverflowError):
        return ""


def _forget_in_child() -> None:
    """A forked helper does not hold what its parent holds, or it would outlive the parent."""
    for file in _held:
        os.close(file)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
