"""A local server, reached without a proxy, and a download that does not wait."""

from collections.abc import Iterator

import pytest
from tests.prepare.server import FileServer

from weclip.prepare.download import Patience


@pytest.fixture
def server(own_ports: set[int], monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = FileServer()
    own_ports.add(server.port)
    yield server
    server.close()


@pytest.fixture
def hasty() -> Patience:
    return Patience(timeout=5, attempts=3, pause=0)
