import contextlib
import socket
import threading
import urllib.request

import pytest

REFUSED = pytest.raises(pytest.fail.Exception, match="must not use the network")
OUTSIDE = ("192.0.2.1", 80)  # reserved for documentation: nobody is there


@pytest.fixture(autouse=True)
def forgive(network_attempts):
    """These tests attempt on purpose."""
    yield
    network_attempts.clear()


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_connecting_fails_the_test(family):
    with socket.socket(family) as outside, REFUSED:
        outside.connect(OUTSIDE)
    with socket.socket(family) as outside, REFUSED:
        outside.connect_ex(OUTSIDE)


def test_a_datagram_and_a_name_look_up_fail_it_too():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outside, REFUSED:
        outside.sendto(b"", OUTSIDE)
    with REFUSED:
        socket.create_connection(("weights.invalid", 443))


def test_only_a_server_of_the_test_itself_is_reached(own_ports):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        with REFUSED:
            socket.create_connection(address)
        own_ports.add(address[1])
        socket.create_connection(address).close()
        with REFUSED:
            socket.create_connection(("127.0.0.2", address[1]))
        own_ports.clear()
        with REFUSED:
            socket.create_connection(address)


def test_code_that_falls_back_is_caught():
    with REFUSED, contextlib.suppress(Exception):
        urllib.request.urlopen("http://weights.invalid/clip.pt")


def test_an_attempt_in_a_thread_is_remembered(network_attempts):
    def attempt():
        with contextlib.suppress(BaseException), socket.socket() as outside:
            outside.connect(OUTSIDE)

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    assert network_attempts == [repr(OUTSIDE)]


def test_processes_still_talk_over_unix_sockets(tmp_path):
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(str(tmp_path / "s"))
        server.listen()
        client.connect(str(tmp_path / "s"))
