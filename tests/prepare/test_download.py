import hashlib
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.prepare.server import Fault, FileServer

from weclip.prepare import download
from weclip.prepare.download import Patience, fetch
from weclip.prepare.sources import PUBLISHED, Source
from weclip.system.errors import InputError

CONTENT = random.Random(0).randbytes(3_000_001)
SHA256 = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
MD5 = f"md5:{hashlib.md5(CONTENT).hexdigest()}"
ONCE = Patience(timeout=5, attempts=1, pause=0)


def ignore(what: str, done: int, total: int | None) -> None:
    pass


def get(source: Source, folder: Path, patience: Patience = ONCE) -> Path:
    return fetch(source, folder, report=ignore, patience=patience)


def serve(server: FileServer, checksum: str | None = SHA256, etag: str | None = None) -> Source:
    return Source("a.bin", (server.serve("a.bin", CONTENT, etag),), checksum)


@pytest.mark.parametrize("checksum", [SHA256, MD5, None])
def test_a_file_is_fetched_and_not_again(server, tmp_path, checksum):
    source = serve(server, checksum)
    path = get(source, tmp_path / "new")
    assert path == tmp_path / "new" / "a.bin"
    assert path.read_bytes() == CONTENT
    assert [p.name for p in path.parent.iterdir()] == ["a.bin"]
    changed = path.stat().st_mtime_ns
    assert get(source, tmp_path / "new") == path
    assert path.stat().st_mtime_ns == changed
    assert len(server.requests) == 1


def test_progress_is_told(server, tmp_path):
    told = []
    fetch(serve(server), tmp_path, report=lambda *what: told.append(what))
    assert told[-1] == ("fetching a.bin", len(CONTENT), len(CONTENT))
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)


@pytest.mark.parametrize("checksum", [SHA256, None])
def test_connections_that_break_at_ten_random_points(server, tmp_path, checksum):
    source = serve(server, checksum, etag='"1"')
    cuts = [random.Random(i).randrange(1, 250_000) for i in range(10)]
    server.faults = [Fault(cut=cut) for cut in cuts]
    assert get(source, tmp_path, Patience(5, 2, 0)).read_bytes() == CONTENT
    starts = [0, *(sum(cuts[: i + 1]) for i in range(10))]
    ranges = [None, *(f"bytes={start}-" for start in starts[1:])]
    assert server.requests == [("/a.bin", wanted) for wanted in ranges]
    assert server.sent == len(CONTENT), "no byte came twice"


FETCH = """
import sys
from pathlib import Path
from weclip.prepare.download import fetch
from weclip.prepare.sources import Source
url, checksum, folder = sys.argv[1:]
fetch(Source("a.bin", (url,), checksum), Path(folder), report=lambda *_: None)
"""


def test_a_process_killed_at_ten_random_points(server, tmp_path):
    source = serve(server, etag='"1"')
    part = tmp_path / "a.bin.part"
    arguments = [sys.executable, "-c", FETCH, *source.urls, SHA256, str(tmp_path)]
    reached = 0
    for i in range(10):
        cut = random.Random(i).randrange(1, 250_000)
        server.faults = [Fault(cut=cut, stall=True)]
        process = subprocess.Popen(arguments)
        reached += cut
        limit = time.monotonic() + 30
        while not part.exists() or part.stat().st_size < reached:
            assert time.monotonic() < limit
            assert process.poll() is None
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert part.stat().st_size == reached
    assert get(source, tmp_path).read_bytes() == CONTENT
    assert server.sent == len(CONTENT), "no byte came twice"


def test_a_mirror_that_stalls_is_given_up(server, tmp_path):
    source = serve(server)
    server.faults = [Fault(cut=1000, stall=True), Fault(cut=0, stall=True)]
    with pytest.raises(InputError, match=r"a\.bin could not be fetched \(http.*timed out"):
        get(source, tmp_path, Patience(0.2, 2, 0))
    assert (tmp_path / "a.bin.part").stat().st_size == 1000


def test_a_corrupted_byte_is_found_and_fetched_anew(server, tmp_path):
    source = serve(server)
    server.faults = [Fault(corrupt=1_234_567)]
    assert get(source, tmp_path).read_bytes() == CONTENT
    assert [wanted for _, wanted in server.requests] == [None, None]


def test_a_file_that_stays_wrong_is_refused(server, tmp_path):
    source = serve(server)
    server.faults = [Fault(corrupt=5), Fault(corrupt=5)]
    with pytest.raises(InputError, match=r"a\.bin could not be fetched .*wrong checksum, twice"):
        get(source, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("dead", "reason"),
    [
        ("http://127.0.0.1:{closed}/a.bin", "refused"),
        ("http://127.0.0.1:{port}/none.bin", "HTTP status 404"),
        ("ftp://127.0.0.1/a.bin", "not http or https"),
        ("file:///etc/hostname", "not http or https"),
    ],
)
def test_a_dead_mirror_is_passed_over(server, own_ports, tmp_path, dead, reason):
    closed = FileServer()
    closed.close()
    own_ports.add(closed.port)
    url = dead.format(closed=closed.port, port=server.port)
    with pytest.raises(InputError, match=reason):
        get(Source("a.bin", (url,), SHA256), tmp_path)
    source = serve(server)
    assert get(Source("a.bin", (url, *source.urls), SHA256), tmp_path).read_bytes() == CONTENT


def test_another_mirror_continues(server, tmp_path):
    source = serve(server)
    other = server.serve("mirror/a.bin", CONTENT)
    server.faults = [Fault(cut=1000), Fault(status=404)]
    both = Source("a.bin", (*source.urls, other), SHA256)
    assert get(both, tmp_path, Patience(5, 2, 0)).read_bytes() == CONTENT
    assert server.requests[-1] == ("/mirror/a.bin", "bytes=1000-")


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_busy_mirror_is_asked_again(server, tmp_path, hasty, status):
    server.faults = [Fault(status=status)]
    assert get(serve(server), tmp_path, hasty).read_bytes() == CONTENT


@pytest.mark.parametrize("location", ["file:///etc/hostname", "ftp://127.0.0.1/a.bin"])
def test_a_redirect_to_something_else_is_not_followed(server, tmp_path, location):
    source = serve(server)
    server.faults = [Fault(status=302, location=location)]
    with pytest.raises(InputError, match=r"HTTP status 302|unknown url type"):
        get(source, tmp_path)


def test_a_redirect_is_followed(server, tmp_path):
    source = serve(server)
    server.faults = [Fault(status=302, location=server.serve("b.bin", CONTENT))]
    assert get(source, tmp_path).read_bytes() == CONTENT


def start(server: FileServer, source: Source, folder: Path, cut: int = 1000) -> None:
    """Leave a part of `cut` bytes."""
    server.faults = [Fault(cut=cut)]
    with pytest.raises(InputError, match=f"the connection ended after {cut} of"):
        get(source, folder)


def test_a_server_without_ranges(server, tmp_path):
    source = serve(server)
    start(server, source, tmp_path)
    server.ranges = False
    assert get(source, tmp_path).read_bytes() == CONTENT


def test_a_server_that_tells_no_length(server, tmp_path):
    server.lengths = False
    assert get(serve(server), tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("checksum", [True, False])
def test_a_file_that_changed_is_started_anew(server, tmp_path, checksum):
    new = CONTENT[::-1]
    digest = f"md5:{hashlib.md5(new).hexdigest()}" if checksum else None
    source = Source("a.bin", (server.serve("a.bin", CONTENT, '"1"'),), digest)
    start(server, source, tmp_path)
    server.serve("a.bin", new, '"2"')
    assert get(source, tmp_path).read_bytes() == new


def test_without_version_and_checksum_nothing_is_continued(server, tmp_path):
    source = serve(server, checksum=None)
    start(server, source, tmp_path)
    server.serve("a.bin", CONTENT[::-1])
    assert get(source, tmp_path).read_bytes() == CONTENT[::-1]
    assert server.requests[-1] == ("/a.bin", None)


def test_a_part_that_is_already_complete(server, tmp_path):
    (tmp_path / "a.bin.part").write_bytes(CONTENT)
    assert get(serve(server), tmp_path).read_bytes() == CONTENT
    assert server.sent == 0


@pytest.mark.parametrize("part", [CONTENT + b"x", b"x" * len(CONTENT), b"x" * 1000])
def test_a_part_of_something_else(server, tmp_path, hasty, part):
    (tmp_path / "a.bin.part").write_bytes(part)
    assert get(serve(server), tmp_path, hasty).read_bytes() == CONTENT


def test_a_server_that_sends_another_range(server, tmp_path, hasty):
    source = serve(server, checksum=None, etag='"1"')
    start(server, source, tmp_path)
    server.faults = [Fault(shift=7)]
    assert get(source, tmp_path, hasty).read_bytes() == CONTENT


def test_another_file_of_that_name_is_kept(server, tmp_path):
    (tmp_path / "a.bin").write_bytes(b"mine")
    with pytest.raises(InputError, match=r"a\.bin is not the published a\.bin .*delete it or move"):
        get(serve(server), tmp_path)
    assert (tmp_path / "a.bin").read_bytes() == b"mine"
    assert server.requests == []


def test_a_full_disk_is_said_first(server, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=len(CONTENT) - 1)
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(InputError, match=r"a\.bin needs 0\.0 GB more, .* choose another --root"):
        get(serve(server), tmp_path)
    assert (tmp_path / "a.bin.part").stat().st_size == 0


def test_the_table_is_well_formed():
    for source in PUBLISHED.values():
        assert all(url.endswith(f"/{source.name}") for url in source.urls)
        if source.checksum:
            algorithm, digits = source.checksum.split(":")
            assert len(bytes.fromhex(digits)) == hashlib.new(algorithm).digest_size
