"""Fetching one published file: resumed after any break, checked, whole or not there at all.

Bytes go to `<name>.part`, which outlives a broken connection and a killed process. Beside it,
`<name>.part.json` keeps which version of the file they belong to (the server's ETag or date), so
that a file that has changed meanwhile is started anew (RFC 9110, If-Range).
"""

import os
import re
import shutil
import time
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib import request
from urllib.error import HTTPError

from weclip.prepare.sources import Report, Source, matches, require_match
from weclip.system.errors import InputError
from weclip.system.files import write_json
from weclip.system.untrusted.documents import read_json

_CHUNK = 2**18  # bytes
_BUSY = {408, 425, 429, 500, 502, 503, 504}
"""HTTP status codes after which trying again may help."""

# Unlike urllib's default: no local files, no FTP, not after a redirect either.
_OPENER = request.OpenerDirector()
for _handler in (
    request.ProxyHandler,
    request.HTTPHandler,
    request.HTTPSHandler,
    request.HTTPRedirectHandler,
    request.HTTPDefaultErrorHandler,
    request.HTTPErrorProcessor,
    request.UnknownHandler,
):
    _OPENER.add_handler(_handler())


@dataclass(frozen=True)
class Patience:
    """How long a mirror is given.

    Attributes:
        timeout: Seconds without a byte after which a connection counts as broken.
        attempts: Requests in a row that may break before the mirror is given up; one that brings
            new bytes begins a new row.
        pause: Seconds before the second attempt, doubled before each further one.
    """

    timeout: float = 30.0
    attempts: int = 5
    pause: float = 1.0


DEFAULT_PATIENCE = Patience()


class _MirrorError(Exception):
    """A mirror cannot serve the file; the next one may."""


class _BrokenError(Exception):
    """The connection broke; the same mirror may go on."""


def fetch(
    source: Source, folder: Path, *, report: Report, patience: Patience = DEFAULT_PATIENCE
) -> Path:
    """Fetch a file into a folder, or find it there.

    Args:
        source: The file, its mirrors and its checksum.
        folder: Where the file will lie; made if needed.
        report: Told of every piece: bytes done, and of how many.
        patience: Timeouts and attempts.

    Returns:
        The file, complete and with the right checksum.

    Raises:
        InputError: No mirror serves the file, the disk has no room, or a file of that name that
            is not the published one is in the way. The bytes fetched so far are kept.
    """
    target = folder / source.name
    if target.exists():
        require_match(target, source)
        return target
    folder.mkdir(parents=True, exist_ok=True)
    part = _Part(folder / f"{source.name}.part", source)
    failures = []
    for url in source.urls:
        try:
            for _ in range(2):  # once more if the bytes turn out to be wrong
                _fetch_from(url, part, report, patience)
                if matches(part.path, source.checksum):
                    part.finish(target)
                    return target
                part.discard()
            failures.append(f"{url}: wrong checksum, twice")
        except _MirrorError as error:
            failures.append(f"{url}: {error}")
    raise InputError(
        f"{source.name} could not be fetched ({'; '.join(failures)}); run again to continue, or "
        "fetch it by hand and give it with --from"
    )


class _Part:
    """The bytes fetched so far, and the version of the file that they belong to.

    Args:
        path: The `.part` file.
        source: What is being fetched.
    """

    def __init__(self, path: Path, source: Source) -> None:
        self.path, self.source = path, source
        self.record = path.with_name(f"{path.name}.json")

    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def range_headers(self, url: str) -> dict[str, str]:
        """Headers that ask for the rest; none if all must be fetched."""
        size = self.size()
        try:
            record = read_json(self.record, "record")
        except InputError:
            record = {}
        version = record.get("version") if record.get("url") == url else None
        if size and version:
            return {"Range": f"bytes={size}-", "If-Range": version}
        if size and self.source.checksum:  # tells in the end whether the pieces belong together
            return {"Range": f"bytes={size}-"}
        return {}

    def start(self, url: str, version: str | None) -> None:
        """Begin an empty file."""
        self.discard()
        write_json(self.record, {"url": url, "version": version})
        self.path.touch()

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
        self.record.unlink(missing_ok=True)

    def finish(self, target: Path) -> None:
        """Give the complete file its name."""
        with self.path.open("rb") as file:
            os.fsync(file.fileno())
        self.path.replace(target)
        self.record.unlink(missing_ok=True)


def _fetch_from(url: str, part: _Part, report: Report, patience: Patience) -> None:
    """Complete a part from one mirror; _MirrorError if it cannot."""
    if not re.match(r"https?://", url):
        raise _MirrorError("not http or https")
    failed = 0
    while True:
        before = part.size()
        try:
            return _attempt(url, part, report, patience.timeout)
        except _BrokenError as error:
            failed = 1 if part.size() > before else failed + 1
            if failed >= patience.attempts:
                raise _MirrorError(str(error)) from None
        time.sleep(patience.pause * 2 ** (failed - 1))


def _attempt(url: str, part: _Part, report: Report, timeout: float) -> None:
    """One request for what is missing."""
    headers = {"User-Agent": "weclip", "Accept-Encoding": "identity", **part.range_headers(url)}
    try:
        response = _OPENER.open(request.Request(url, headers=headers), timeout=timeout)
    except HTTPError as error:
        with error:
            _handle_status(error, part)
        return
    except (OSError, HTTPException) as error:
        raise _BrokenError(_reason(error)) from None
    if response is None:
        raise _MirrorError("no answer that can be read")
    with response:
        total = _total(response, url, part)
        _require_room(part, total)
        _append(response, part, total, report)


def _handle_status(error: HTTPError, part: _Part) -> None:
    """Return if nothing was missing, or raise what the status code means."""
    if error.code == 416:  # the range begins at or after the end of the file
        found = re.fullmatch(r"bytes \*/(\d+)", error.headers.get("Content-Range", ""))
        if found and int(found[1]) == part.size():
            return
        part.discard()
        raise _BrokenError("the file on the server is shorter than what was fetched of it")
    if error.code in _BUSY:
        raise _BrokenError(f"HTTP status {error.code}")
    raise _MirrorError(f"HTTP status {error.code}")


def _total(response: HTTPResponse, url: str, part: _Part) -> int | None:
    """Size of the whole file, None if unknown; an answer from the first byte empties the part."""
    if response.status == 206:
        pattern = r"bytes (\d+)-\d+/(\d+|\*)"
        found = re.fullmatch(pattern, response.headers.get("Content-Range", ""))
        if not found or int(found[1]) != part.size():
            part.discard()
            raise _BrokenError("the server sent another range than it was asked for")
        return None if found[2] == "*" else int(found[2])
    if response.status != 200:
        raise _MirrorError(f"HTTP status {response.status}")
    version = response.headers.get("ETag")
    if version is None or version.startswith("W/"):  # weak: not about bytes
        version = response.headers.get("Last-Modified")
    part.start(url, version)
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


def _require_room(part: _Part, total: int | None) -> None:
    missing = (total or 0) - part.size()
    free = shutil.disk_usage(part.path.parent).free
    if missing > free:
        raise InputError(
            f"{part.path.parent}: {part.source.name} needs {missing / 1e9:.1f} GB more, "
            f"{free / 1e9:.1f} GB are free; make room or choose another --root"
        )


def _append(response: HTTPResponse, part: _Part, total: int | None, report: Report) -> None:
    """Write what comes until the file is complete; _BrokenError if it ends before."""
    done = part.size()
    with part.path.open("ab", buffering=0) as file:
        while total is None or done < total:
            chunk = _read(response)
            if not chunk:
                break
            try:
                file.write(chunk)
            except OSError as error:
                raise InputError(
                    f"{part.path}: cannot write ({error.strerror}); make room and run again"
                ) from None
            done += len(chunk)
            report(f"fetching {part.source.name}", done, total)
    if total is not None and done != total:
        part.discard() if done > total else None
        raise _BrokenError(f"the connection ended after {done} of {total} bytes")


def _read(response: HTTPResponse) -> bytes:
    try:
        return response.read1(_CHUNK)
    except (OSError, HTTPException) as error:
        raise _BrokenError(_reason(error)) from None


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", None) or error) or type(error).__name__
