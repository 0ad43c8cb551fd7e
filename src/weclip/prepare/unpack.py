"""Unpacking tar and zip archives: only what is wanted, and nothing outside the folder.

All names are looked at before the first byte is written. Only regular files are written, each
under a temporary name first, so an interrupted run continues with what is missing.
"""

import gzip
import lzma
import posixpath
import re
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from weclip.prepare.sources import Report
from weclip.system.errors import InputError
from weclip.system.files import write_json
from weclip.system.untrusted.documents import read_json
from weclip.system.untrusted.files import MAX_TABLE
from weclip.system.untrusted.text import short

_CHUNK = 2**20  # bytes
_MAX_LINK = 4096  # bytes of a link's target in a zip

_BROKEN = (
    EOFError,
    NotImplementedError,
    gzip.BadGzipFile,
    lzma.LZMAError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)

Wanted = Mapping[str, str]
"""Beginning of a member's name -> what replaces it in the path below the folder."""


@dataclass(frozen=True)
class _Member:
    """A member of an archive.

    Attributes:
        name: As in the archive.
        size: Bytes when unpacked.
        kind: `file`, `folder`, `link` or `other` (devices, pipes).
        link: What a link points to: relative to its own folder (`hard`: to the archive's).
        hard: Whether it is a hard link.
    """

    name: str
    size: int
    kind: str
    link: str = ""
    hard: bool = False


Opened = tuple[list[_Member], Callable[[set[int]], Iterator[tuple[int, IO[bytes]]]]]
"""Members, and a way to read those with the given positions, in the archive's order."""


def unpack_once(
    archive: Callable[[], Path], folder: Path, wanted: Wanted, receipt: Path, report: Report
) -> None:
    """Unpack an archive unless a receipt says that this was done and all files are still there.

    Args:
        archive: Finds the archive; not called if nothing is missing.
        folder: Folder that the files go into.
        wanted: Which members, and where to.
        receipt: File that keeps what was unpacked.
        report: Told of the progress, in bytes.

    Raises:
        InputError: As `unpack`.
    """
    try:
        record = read_json(receipt, "receipt", MAX_TABLE)
        files, same = record["files"], record["wanted"] == dict(wanted)
    except (ValueError, KeyError, TypeError):
        files, same = {}, False
    if same and all(_has_size(folder / name, size) for name, size in files.items()):
        return
    unpacked = unpack(archive(), folder, wanted, report)
    write_json(receipt, {"wanted": dict(wanted), "files": unpacked})


def unpack(archive: Path, folder: Path, wanted: Wanted, report: Report) -> dict[str, int]:
    """Unpack the wanted members of a tar (compressed or not) or zip archive.

    Args:
        archive: The archive.
        folder: Folder that the files go into; made if needed.
        wanted: Which members, and where to.
        report: Told of the progress, in bytes.

    Returns:
        Path below the folder, with `/` -> size in bytes, of all wanted files.

    Raises:
        InputError: Not an archive, or broken; a member would leave the folder or is a device; a
            wanted one is a link; the disk has no room. Nothing was unpacked, except that a break
            inside a member is found only when it is read.
    """
    with _open(archive) as (members, read):
        targets: dict[str, int] = {}  # path below the folder -> position; a later member wins
        for position, member in enumerate(members):
            _check(member, archive)
            target = _target(member, wanted)
            if target:
                _check_wanted(member, archive)
                targets[target] = position
        if not targets:
            raise InputError(f"{archive}: nothing in it begins with {' or '.join(wanted)}")
        sizes = {target: members[position].size for target, position in targets.items()}
        paths = {
            position: folder / target
            for target, position in targets.items()
            if not _has_size(folder / target, sizes[target])
        }
        _require_room(folder, sum(members[position].size for position in paths))
        _write(
            read(set(paths)),
            paths,
            members,
            lambda n, of: report(f"unpacking {archive.name}", n, of),
        )
    return sizes


def _write(
    streams: Iterator[tuple[int, IO[bytes]]],
    paths: Mapping[int, Path],
    members: list[_Member],
    report: Callable[[int, int], None],
) -> None:
    total, done = sum(members[position].size for position in paths), 0
    for position, stream in streams:
        path, size = paths[position], members[position].size
        path.parent.mkdir(parents=True, exist_ok=True)
        # Not write_atomically: waiting for the disk 100,000 times takes longer than unpacking.
        temporary = path.with_name(f".{path.name}.tmp")
        try:
            with temporary.open("wb") as file:
                shutil.copyfileobj(stream, file, _CHUNK)
            if temporary.stat().st_size != size:
                raise EOFError(f"{members[position].name} is cut off")
            temporary.replace(path)
        except OSError as error:
            if error.errno is None:  # the archive's fault, not the disk's
                raise
            raise InputError(f"{path}: cannot write ({error.strerror}); run again") from None
        finally:
            temporary.unlink(missing_ok=True)
        done += size
        report(done, total)


@contextmanager
def _open(archive: Path) -> Iterator[Opened]:
    """Open a tar or zip; anything broken in it, now or later, is an InputError."""
    try:
        if _is_zip(archive):
            with zipfile.ZipFile(archive) as file:
                yield _zip(file)
        else:
            with tarfile.open(archive) as file:
                yield _tar(file)
    except _BROKEN as error:
        raise InputError(
            f"{archive}: not a whole tar or zip archive ({error}); delete it and run again"
        ) from None


def _is_zip(archive: Path) -> bool:
    with archive.open("rb") as file:
        return file.read(2) == b"PK"


def _tar(file: tarfile.TarFile) -> Opened:
    infos = file.getmembers()

    def read(positions: set[int]) -> Iterator[tuple[int, IO[bytes]]]:
        for position, info in enumerate(infos):
            if position in positions:
                stream = file.extractfile(info)
                assert stream is not None, "a regular file"
                with stream:
                    yield position, stream

    return [_tar_member(info) for info in infos], read


def _tar_member(info: tarfile.TarInfo) -> _Member:
    kind = "other"
    if info.issym() or info.islnk():
        kind = "link"
    elif info.isdir():
        kind = "folder"
    elif info.isreg():
        kind = "file"
    return _Member(info.name, info.size, kind, info.linkname, info.islnk())


def _zip(file: zipfile.ZipFile) -> Opened:
    infos = file.infolist()

    def read(positions: set[int]) -> Iterator[tuple[int, IO[bytes]]]:
        for position, info in enumerate(infos):
            if position in positions:
                with file.open(info) as stream:
                    yield position, stream

    return [_zip_member(file, info) for info in infos], read


def _zip_member(file: zipfile.ZipFile, info: zipfile.ZipInfo) -> _Member:
    mode = info.external_attr >> 16
    if info.flag_bits & 1:
        raise zipfile.BadZipFile(f"{info.filename} is encrypted")
    if stat.S_ISLNK(mode):
        with file.open(info) as stream:
            link = stream.read(_MAX_LINK).decode("utf-8", "replace")
        return _Member(info.orig_filename, info.file_size, "link", link)
    if info.is_dir():
        return _Member(info.orig_filename, 0, "folder")
    regular = stat.S_IFMT(mode) in (0, stat.S_IFREG)  # 0: made where there are no modes
    return _Member(info.orig_filename, info.file_size, "file" if regular else "other")


def _leaves(path: str) -> bool:
    """Whether a path can lead out of its folder, on any system."""
    absolute = re.match(r"[/\\]|[A-Za-z]:", path)
    return bool(absolute) or "\0" in path or ".." in re.split(r"[/\\]", path)


def _check(member: _Member, archive: Path) -> None:
    """Refuse names and links that lead out of the folder, and devices."""
    if _leaves(member.name):
        reason = "would be written outside the folder"
    elif member.kind == "link" and _leaves(_resolved(member)):
        reason = f"is a link to {short(member.link)}, outside the folder"
    elif member.kind == "other":
        reason = "is a device or pipe, not a file"
    else:
        return
    raise InputError(
        f"{archive}: member {short(member.name)} {reason}; nothing was unpacked, fetch the archive "
        "anew from a place that you trust"
    )


def _resolved(member: _Member) -> str:
    """A link's target as a path in the archive; what is absolute stays so."""
    if member.hard or re.match(r"[/\\]|[A-Za-z]:", member.link):
        return member.link
    return posixpath.normpath(posixpath.join(posixpath.dirname(member.name), member.link))


def _check_wanted(member: _Member, archive: Path) -> None:
    if member.kind != "file":
        raise InputError(
            f"{archive}: member {short(member.name)} is a link, and only files are unpacked; "
            "nothing was unpacked, fetch the archive anew"
        )


def _target(member: _Member, wanted: Wanted) -> str | None:
    """Path below the folder; None for a folder and for what is not wanted."""
    name = posixpath.normpath(member.name)
    if member.kind == "folder":
        return None
    for prefix, replacement in wanted.items():
        if name.startswith(prefix):
            return replacement + name[len(prefix) :]
    return None


def _has_size(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except OSError:
        return False


def _require_room(folder: Path, needed: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise InputError(
            f"{folder}: {needed / 1e9:.1f} GB are still to be unpacked, {free / 1e9:.1f} GB are "
            "free; make room or choose another --root"
        )
