"""For every test: no network, its share of the cores, caches in a folder that goes away."""

import os
import socket
import tempfile
from collections.abc import Iterator
from typing import Any

import pytest
import torch

CACHES = ("HF_HOME", "TORCH_HOME", "XDG_CACHE_HOME", "TORCHINDUCTOR_CACHE_DIR", "MPLCONFIGDIR")
MAX_THREADS = 2
LONG = ("distributed", "survival", "bad_inputs", "end_to_end")

_attempts: list[str] = []
_own_ports: set[int] = set()


def pytest_configure(config: pytest.Config) -> None:
    """Guard the whole session: collection and docstring examples too."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    threads = max(1, min(MAX_THREADS, torch.get_num_threads() // workers))
    torch.set_num_threads(threads)
    patch = pytest.MonkeyPatch()
    config.add_cleanup(patch.undo)
    for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):  # of what the tests start, too
        patch.setenv(name, str(threads))
    folder = tempfile.TemporaryDirectory(prefix="weclip-tests-")
    config.add_cleanup(folder.cleanup)
    for name in CACHES:
        patch.setenv(name, os.path.join(folder.name, name.lower()))  # noqa: PTH118
    for name in ("connect", "connect_ex", "sendto"):
        patch.setattr(socket.socket, name, _guarded(getattr(socket.socket, name)))
    patch.setattr(socket, "getaddrinfo", _guarded_look_up(socket.getaddrinfo))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Folders of long tests first, so that no process is left with one of them at the end."""
    items.sort(key=lambda item: item.path.parent.name not in LONG)  # stable


def _guarded(method: Any) -> Any:
    """The socket method for AF_UNIX, which worker processes need; a failed test for the rest."""

    def guarded(self: socket.socket, *args: Any) -> Any:
        if self.family != getattr(socket, "AF_UNIX", None) and not _is_own(*args[-1][:2]):
            _refuse(args[-1])
        return method(self, *args)

    return guarded


def _guarded_look_up(look_up: Any) -> Any:
    """`getaddrinfo` for servers of the test; a failed test for other hosts."""

    def guarded(host: Any, port: Any, *args: Any, **named: Any) -> Any:
        if not _is_own(host, port):
            _refuse(host)
        return look_up(host, port, *args, **named)

    return guarded


def _is_own(host: object, port: object) -> bool:
    """Whether this is a server on this machine that the running test has started."""
    return host == "127.0.0.1" and port in _own_ports


def _refuse(address: object) -> None:
    _attempts.append(repr(address))
    # Not an Exception: code that retries or falls back must not swallow it.
    pytest.fail(f"tests must not use the network, but something tried to reach {address!r}")


@pytest.fixture(autouse=True)
def network_attempts() -> Iterator[list[str]]:
    """Addresses the test tried to reach; any at its end (say, from a thread) is a failure."""
    _attempts.clear()
    yield _attempts
    assert not _attempts, f"tests must not use the network, but this one tried {_attempts}"


@pytest.fixture
def own_ports() -> Iterator[set[int]]:
    """Ports of 127.0.0.1 that the test may reach: it adds those of the servers it starts."""
    yield _own_ports
    _own_ports.clear()
