"""A local HTTP server with ranges that can break in every way a download must survive."""

import re
import socketserver
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any


@dataclass
class Fault:
    """What one request suffers.

    Attributes:
        cut: Bytes of the answer after which the connection is closed.
        corrupt: Position in the file of a byte that arrives inverted.
        status: Status code to answer with instead of the file.
        location: Where the status redirects to.
        stall: Do not close the connection after `cut`, but wait.
        shift: Start the range this many bytes late.
    """

    cut: int | None = None
    corrupt: int | None = None
    status: int | None = None
    location: str | None = None
    stall: bool = False
    shift: int = 0


class FileServer(socketserver.ThreadingTCPServer):
    """Serves `files`; the faults in `faults` befall the next requests, one each.

    Attributes:
        files: Path -> content.
        faults: Of the next requests, in order.
        ranges: Whether ranges are understood.
        etags: Path -> version.
        lengths: Whether the length is told.
        requests: Path and range of every request so far.
        sent: Bytes of content sent so far.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.faults: list[Fault] = []
        self.ranges, self.lengths = True, True
        self.etags: dict[str, str] = {}
        self.requests: list[tuple[str, str | None]] = []
        self.sent = 0
        self.released = threading.Event()
        self.port: int = self.server_address[1]
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}/{path}"

    def serve(self, path: str, content: bytes, etag: str | None = None) -> str:
        self.files[f"/{path}"] = content
        if etag:
            self.etags[f"/{path}"] = etag
        return self.url(path)

    def close(self) -> None:
        self.released.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    server: FileServer
    log_message: Callable[..., None] = lambda *_: None  # type: ignore[assignment]

    def do_GET(self) -> None:
        server = self.server
        wanted = self.headers.get("Range")
        server.requests.append((self.path, wanted))
        fault = server.faults.pop(0) if server.faults else Fault()
        content = server.files.get(self.path)
        if fault.status or content is None:
            self.send_response(fault.status or 404)
            if fault.location:
                self.send_header("Location", fault.location)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        start = self._head(content, wanted, fault)
        if start is None:
            return
        body = bytearray(content)
        if fault.corrupt is not None:
            body[fault.corrupt] ^= 0xFF
        rest = bytes(body[start:])[: fault.cut]
        server.sent += len(rest)
        self.wfile.write(rest)
        self.wfile.flush()
        if fault.stall:
            server.released.wait(30)

    def _head(self, content: bytes, wanted: str | None, fault: Fault) -> int | None:
        """Answer the headers; return the first byte to send, None if the range is beyond."""
        etag = self.server.etags.get(self.path)
        changed = self.headers.get("If-Range") not in (None, etag)
        found = re.fullmatch(r"bytes=(\d+)-", wanted or "")
        start, size = 0, len(content)
        if found and self.server.ranges and not changed:
            start = int(found[1]) + fault.shift
            self.send_response(206 if start < size else 416)
            shown = f"{start}-{size - 1}" if start < size else "*"
            self.send_header("Content-Range", f"bytes {shown}/{size}")
            if start >= size:
                self.send_header("Content-Length", "0")
                self.end_headers()
                return None
        else:
            self.send_response(200)
        if etag:
            self.send_header("ETag", etag)
        if self.server.lengths:
            self.send_header("Content-Length", str(size - start))
        self.end_headers()
        return start
