"""Files that appear whole or not at all, and output folders that nobody loses work in."""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from weclip.errors import InputError

RUN_MARKER = "run.json"
"""File that every output folder of ours holds; only such folders are ever emptied."""


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file beside `path`, flush it to disk, then rename it.

    Args:
        path: Final file; its folder is made if needed.
        write: Receives the temporary path.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` in UTF-8, as `write_atomically` does."""
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_json(path: Path, record: Mapping[str, Any]) -> None:
    """Write a record as JSON, as `write_atomically` does; no NaN and no infinity."""
    write_text(path, json.dumps(record, indent=2, allow_nan=False) + "\n")


def claim_folder(out: Path, *, overwrite: bool = False) -> None:
    """Make `out` an empty folder of ours.

    Args:
        out: New, empty, or with `overwrite` an earlier output, which is emptied.
        overwrite: Whether an earlier output may be deleted.

    Raises:
        InputError: `out` is a file, holds files and `overwrite` is off, or is not our output.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out} is a file; give a folder")
    if out.is_dir() and any(out.iterdir()):
        if not overwrite:
            raise InputError(f"--out {out} is not empty; choose another folder or add --overwrite")
        if not (out / RUN_MARKER).is_file():
            raise InputError(
                f"--out {out} was not written by weclip (it has no {RUN_MARKER}), so --overwrite "
                "does not delete it; choose another folder"
            )
        shutil.rmtree(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out {out} cannot be made ({error.strerror})") from None
