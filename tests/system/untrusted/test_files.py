"""Only regular files are read, and no more of them than makes sense."""

import os
import socket
from pathlib import Path

import pytest

from weclip.system.errors import InputError
from weclip.system.untrusted.files import is_file, read_bytes, read_text


def make_pipe(path):
    os.mkfifo(path)


def make_socket(path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


def make_sparse(path):
    with path.open("wb") as file:
        file.truncate(40 * 2**30)


IN_THE_PLACE = {
    "a pipe": (make_pipe, "tags file cannot be read: it is no file"),
    "a socket": (make_socket, "tags file cannot be read"),
    "a folder": (lambda path: path.mkdir(), "tags file cannot be read: it is no file"),
    "a device": (lambda path: path.symlink_to("/dev/zero"), "it is no file"),
    "a link to nowhere": (lambda path: path.symlink_to("nowhere"), "tags file not found"),
    "a link to itself": (lambda path: path.symlink_to(path), "tags file cannot be read"),
    "nothing": (lambda path: None, "tags file not found"),
    "40 GiB of nothing": (make_sparse, "tags file has over 2147483648 bytes"),
}


@pytest.mark.parametrize("kind", IN_THE_PLACE)
def test_in_the_place_of_a_file(kind, tmp_path):
    make, message = IN_THE_PLACE[kind]
    path = tmp_path / "tags.csv"
    make(path)
    with pytest.raises(InputError, match=message) as caught:
        read_bytes(path, "tags file")
    assert str(caught.value).startswith(str(path))


def test_a_name_that_no_system_takes(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_bytes(tmp_path / "a\0b", "tags file")


def test_all_of_a_file_and_not_more(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    assert read_bytes(path, "file", 5) == b"12345"
    with pytest.raises(InputError, match="over 4 bytes"):
        read_bytes(path, "file", 4)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc here")
def test_a_file_whose_size_is_not_told():
    assert read_bytes(Path("/proc/self/status"), "file", 2**20)
    with pytest.raises(InputError, match="over 9 bytes"):
        read_bytes(Path("/proc/self/status"), "file", 9)


def test_text(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"\xef\xbb\xbf\xc3\xa9")
    assert read_text(path, "list") == "é"
    path.write_bytes(b"\xe9")
    with pytest.raises(InputError, match="list cannot be read; save it as UTF-8 text"):
        read_text(path, "list")


def test_whether_a_file_is_there(tmp_path):
    assert not is_file(tmp_path / "a")
    (tmp_path / "a").write_text("")
    assert is_file(tmp_path / "a")
    (tmp_path / "b").mkdir()
    with pytest.raises(InputError, match="is a folder, not a file"):
        is_file(tmp_path / "b")
