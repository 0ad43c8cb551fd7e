"""Files that appear whole or not at all, and output folders that nobody loses work in."""

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import Any

from weclip.system.errors import InputError, WriteError
from weclip.system.locks import LOCK_NAME, require_unlocked
from weclip.system.untrusted.documents import read_json

RUN_MARKER = "run.json"
"""File that every output folder of ours holds; only such folders are ever emptied."""

BY_HAND = "corrected/log.jsonl"  # a person's work in an output folder: nothing makes it again

TEMPORARY = ".*.*.tmp"
_LONGEST_START = 32
"""Bytes of a name that a temporary one begins with."""


def sha256_of(path: str | Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal.

    Raises:
        InputError: It cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file beside `path`, flush it to disk, then rename it.

    Args:
        path: Final file; its folder is made if needed.
        write: Receives the temporary path.

    Raises:
        WriteError: It cannot be written; the error names `path`.
    """
    temporary = _temporary(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise _named(error, path) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_folder_atomically(path: Path, write: Callable[[Path], object]) -> Path:
    """Let `write` fill a temporary folder beside `path`, then rename it; an earlier one goes.

    An earlier folder is renamed first, and deleted last. Killed in the moment between, no folder is
    left rather than half of one; where the new one cannot get its name, the earlier one is back.

    Args:
        path: Final folder.
        write: Receives the temporary folder, empty; its files are to be flushed by it.

    Returns:
        `path`.

    Raises:
        WriteError: It cannot be written; the error names `path`, or a file in it.
    """
    temporary, earlier = _temporary(path), _temporary(path)
    try:
        temporary.mkdir(parents=True)
        write(temporary)
        while True:
            try:
                temporary.replace(path)
                return path
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
            if earlier.exists():
                shutil.rmtree(earlier, ignore_errors=True)
            with suppress(FileNotFoundError):  # another process has just done the same
                path.replace(earlier)
    except OSError as error:
        with suppress(OSError):
            earlier.replace(path)
        raise _named(error, path) from error
    finally:
        for folder in (temporary, earlier):
            shutil.rmtree(folder, ignore_errors=True)


def _named(error: OSError, path: Path) -> OSError:
    """What is raised where `path` cannot be written: the system's error with its name."""
    if error.errno is None:  # not the system's: a bug of ours
        return error
    return WriteError(error.errno, error.strerror, str(path))


def _temporary(path: Path) -> Path:
    """A name beside `path` that no other call takes, and that `TEMPORARY` finds.

    Short however long the name is, so that every name that the disk allows can be written.
    """
    start = os.fsdecode(os.fsencode(path.name)[:_LONGEST_START])
    return path.with_name(f".{start}.{os.getpid()}-{token_hex(4)}.tmp")


def write_text(path: Path, text: str) -> None:
    """Write `text` in UTF-8, as `write_atomically` does."""
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_json(path: Path, record: Mapping[str, Any]) -> None:
    """Write a record as JSON, as `write_atomically` does; no NaN and no infinity."""
    write_text(path, json.dumps(record, indent=2, allow_nan=False) + "\n")


def is_output(out: Path, kind: str) -> bool:
    """Whether a folder is an output of ours of this kind."""
    return kind_of(out / RUN_MARKER) == kind


def kind_of(record: Path) -> str | None:
    """The `kind` that a JSON record of ours tells; None where there is no such record."""
    try:
        return str(read_json(record, "record")["kind"])
    except (ValueError, KeyError, TypeError):
        return None


def remove_temporaries(folder: Path) -> None:
    """Delete what killed processes left, at any depth, of files and folders begun atomically."""
    for path in list(folder.rglob(TEMPORARY)):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def remove_temporaries_of(path: Path) -> None:
    """Delete what killed processes left beside a file or folder that they wrote atomically.

    To be called where nobody else writes `path`. Names that temporary ones cut are left alone.
    """
    if len(os.fsencode(path.name)) > _LONGEST_START or not path.parent.is_dir():
        return
    own = re.compile(rf"\.{re.escape(path.name)}\.\d+-[0-9a-f]{{8}}\.tmp")
    for other in [each for each in path.parent.iterdir() if own.fullmatch(each.name)]:
        if other.is_dir():
            shutil.rmtree(other)
        else:
            other.unlink(missing_ok=True)


def claim_folder(
    out: Path, kind: str, *, overwrite: bool = False, inputs: Iterable[Path] = ()
) -> None:
    """Make `out` an empty folder of ours.

    Args:
        out: New, empty, or with `overwrite` an earlier output, which is emptied.
        kind: What will be written, as in the marker: a prediction never replaces a training.
        overwrite: Whether an earlier output of the same kind may be deleted.
        inputs: Files and folders of the user's; none of them is deleted.

    Raises:
        InputError: As in `require_claimable`, or it cannot be made.
    """
    if require_claimable(out, kind, overwrite=overwrite, inputs=inputs):
        for path in out.iterdir():
            if path == out / LOCK_NAME:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out {out} cannot be made ({error.strerror})") from None


def require_claimable(
    out: Path, kind: str, *, overwrite: bool = False, inputs: Iterable[Path] = ()
) -> bool:
    """Whether `claim_folder` would have something to delete; nothing is touched.

    Raises:
        InputError: `out` is a file, holds files and `overwrite` is off, is not such an output, or
            holds one of `inputs`; or a command is writing in it.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out} is a file; give a folder")
    if not out.is_dir() or set(out.iterdir()) <= {*out.glob(TEMPORARY), out / LOCK_NAME}:
        return False
    if not overwrite:
        raise InputError(f"--out {out} is not empty; choose another folder or add --overwrite")
    found = kind_of(out / RUN_MARKER)
    if found != kind:
        raise InputError(
            f"--out {out} holds {f'a {found}' if found else 'other files'} and no {kind} of "
            "weclip's, so --overwrite does not delete it; choose another folder"
        )
    require_outside(out, inputs)
    require_unlocked(out)
    if (out / BY_HAND).exists():
        raise InputError(
            f"--out {out} holds corrections by hand ({BY_HAND}); move them, or choose another"
        )
    return True


def at_home(path: str) -> str:
    """A path whose leading `~` or `~user` is that person's folder; others as they are.

    Raises:
        InputError: This user has no home.
    """
    if not path.startswith("~"):
        return path
    try:
        return str(Path(path).expanduser())
    except RuntimeError:
        if path != "~" and not path.startswith("~/"):  # nobody's: a name that begins so
            return path
        raise InputError(f"{path}: this user has no home folder; write the whole path") from None


def require_outside(out: Path, inputs: Iterable[Path]) -> None:
    """Raise InputError if one of the user's `inputs` lies in `out`, where it could be replaced."""
    for path in inputs:
        if path.resolve().is_relative_to(out.resolve()):
            raise InputError(f"{path} lies in --out {out}; choose an output folder elsewhere")


def require_names_fit(out: Path, paths: Iterable[Path]) -> None:
    """InputError if the file system cannot hold one of the names of results below `out`.

    Args:
        out: The output folder, which is there.
        paths: Files to be written, relative to a folder in it.
    """
    longest = os.pathconf(out, "PC_NAME_MAX") if hasattr(os, "pathconf") else 255
    for path in paths:
        for part in path.parts:
            if len(os.fsencode(part)) > longest:
                raise InputError(
                    f"{part[:60]}...: the file to be written for this image has a name of "
                    f"{len(os.fsencode(part))} bytes, and {out} can hold {longest}; rename it"
                )


def require_writable(path: Path, option: str) -> None:
    """InputError, in the option's name, unless a file could be written at `path` now.

    Folders that it lacks are made for the attempt only.
    """
    missing = [folder for folder in path.parents if not folder.exists()]
    attempt = _temporary(path)
    try:
        with suppress(FileNotFoundError):
            path.stat()  # a name that is too long
        path.parent.mkdir(parents=True, exist_ok=True)
        attempt.touch()
        attempt.unlink()
    except OSError as error:
        raise InputError(
            f"{option} {path}: cannot be written ({error.strerror}); choose another place"
        ) from None
    finally:
        for folder in missing:
            with suppress(OSError):
                folder.rmdir()


def what_it_is(path: Path) -> str:
    """What a file is that is often there in place of a download; an empty text for others."""
    with path.open("rb") as file:
        start = file.read(512).lstrip().lower()
    if not start:
        return "it is empty"
    if start.startswith((b"<!doctype html", b"<html")):
        return "it is a web page, perhaps of a failed download"
    if start.startswith(b"version https://git-lfs"):
        return "it is a pointer of git-LFS; run git lfs pull where it is from"
    return ""
