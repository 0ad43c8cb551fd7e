"""A local server, reached without a proxy, and the command that fetches from it at once."""

import functools
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console
from tests.prepare.builders import serve_all
from tests.prepare.server import FileServer

import weclip.tasks.prepare as command
from weclip.cli import app as cli
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


@pytest.fixture
def table(server, tmp_path):
    return serve_all(server, tmp_path / "published")


@pytest.fixture
def prepare(table, hasty):
    """The command with the local table; returns the command line that it ends with."""

    def run(what: str, root: Path, **options: object) -> str:
        prepared = command.prepare(
            what, root, console=Console(quiet=True), sources=table, patience=hasty, **options
        )
        assert prepared.exit_code == 0
        return prepared.command

    return run


@pytest.fixture
def cli_run(table, hasty, monkeypatch):
    """The command line with the local table."""
    local = functools.partial(command.prepare, sources=table, patience=hasty)
    monkeypatch.setattr(command, "prepare", local)
    return cli.run
