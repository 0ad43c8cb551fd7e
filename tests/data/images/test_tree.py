"""Listing all files: one rule for links, and nothing but files and folders."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tests.data.builders import write_image

from weclip.data.images.decoding import read_image
from weclip.data.images.file_names import is_usable, require_usable, shown
from weclip.data.images.listing import Listings, PurePosixPath, list_files
from weclip.data.images.tree import walk
from weclip.system.errors import InputError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("a/1.jpg", "b/c/2.jpg", "3.jpg"):
        write_image(tmp_path / "root" / name)
    return tmp_path / "root"


def test_files_are_listed_in_order(root: Path):
    (root / "notes.txt").touch()
    tree = walk(root)
    assert tree.files == ["3.jpg", "notes.txt", "a/1.jpg", "b/c/2.jpg"]
    assert tree.images() == ["3.jpg", "a/1.jpg", "b/c/2.jpg"]


@pytest.mark.parametrize(
    "name", [".git/1.jpg", "__MACOSX/1.jpg", "@eaDir/1.jpg", "a/.1.jpg", "Thumbs.db", "desktop.ini"]
)
def test_what_systems_write_is_passed_over(root: Path, name: str):
    before = walk(root)
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).touch()
    assert walk(root) == before


def test_links_are_followed(root: Path, tmp_path: Path):
    write_image(tmp_path / "far" / "deep" / "4.jpg")
    (root / "link").symlink_to(tmp_path / "far")
    (root / "5.jpg").symlink_to(tmp_path / "far" / "deep" / "4.jpg")
    assert {"link/deep/4.jpg", "5.jpg"} <= {*walk(root).files}
    assert walk(tmp_path / "root" / "link").files == ["deep/4.jpg"]


@pytest.mark.parametrize("target", [".", "..", "../b", "../../root"])
def test_a_link_to_where_it_lies_is_left_out(root: Path, target: str):
    (root / "b" / "loop").symlink_to(target)
    tree = walk(root)
    assert tree.loops == ["b/loop"]
    assert len(tree.files) == 3


def test_two_links_to_each_other_end(root: Path):
    (root / "a" / "x").symlink_to("../b")
    (root / "b" / "y").symlink_to("../a")
    tree = walk(root)
    assert tree.loops == ["a/x/y", "b/y/x"]
    assert len(tree.files) == 5


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)


NO_FILES = {
    "pipe": (make_pipe, "is a pipe, not a file"),
    "socket": (make_socket, "is a socket, not a file"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "is a device, not a file"),
    "dangling link": (lambda path: path.symlink_to("gone"), "is a link that leads nowhere"),
    "link to itself": (lambda path: path.symlink_to(path.name), "is a link that leads nowhere"),
    "folder": (lambda path: path.mkdir(), "is a folder, not a file"),
}


@pytest.mark.skipif(sys.platform != "linux", reason="other systems lack some of these")
@pytest.mark.parametrize(("make", "message"), NO_FILES.values(), ids=list(NO_FILES))
def test_what_is_no_file_is_refused_wherever_it_is_met(
    root: Path, make, message: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(root)
    make(root / "x.jpg")
    with pytest.raises(InputError, match=f"x.jpg: {message}"):
        walk(root)
    with pytest.raises(InputError, match=f"x.jpg: {message}"):
        list_files(root, "image folder", {".jpg"})
    listings = Listings(root)
    with pytest.raises(InputError, match=f"x.jpg: {message}"):
        listings.exists(listings.find(PurePosixPath("x.jpg")))
    with pytest.raises(InputError, match=r"x.jpg: (is |image (not found|cannot be read))"):
        read_image(root / "x.jpg")


def test_folders_may_be_nested_deep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(1100):
        Path("d").mkdir()
        os.chdir("d")
    Path("1.jpg").touch()
    os.chdir(tmp_path)
    try:
        assert walk(Path("d")).files == ["d/" * 1099 + "1.jpg"]
    finally:  # pytest's own cleaning is recursive
        subprocess.run(["rm", "-r", "d"], check=True)


def test_a_dangling_link_to_a_folder_is_refused(root: Path):
    (root / "train").symlink_to("gone")
    with pytest.raises(InputError, match="train: is a link that leads nowhere, not a file"):
        walk(root)


def test_a_folder_that_cannot_be_listed_is_refused(root: Path):
    (root / "a").chmod(0)
    try:
        if os.access(root / "a", os.R_OK):
            pytest.skip("permissions do not hold here, as for root")
        with pytest.raises(InputError, match="a: cannot be listed"):
            walk(root)
    finally:
        (root / "a").chmod(0o755)


UNUSABLE = {
    b"caf\xe9.jpg": "caf\\xe9.jpg",
    b"a\tb.jpg": "a\\tb.jpg",
    b"a\nb.jpg": "a\\nb.jpg",
    b"\x1b[31mred.jpg": "\\x1b[31mred.jpg",
    b"\xed\xa0\x80.jpg": "\\xed\\xa0\\x80.jpg",
    b"c1\xc2\x85.jpg": "c1\\x85.jpg",
    b"line\xe2\x80\xa8.jpg": "line\\u2028.jpg",
}


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
@pytest.mark.parametrize(("name", "text"), UNUSABLE.items(), ids=list(UNUSABLE.values()))
def test_names_that_cannot_be_used_are_left_out_and_escaped(root: Path, name: bytes, text: str):
    path = root / os.fsdecode(name)
    write_image(path.with_name("y.jpg")).rename(path)
    tree = walk(root)
    assert tree.unusable == [text]
    assert len(tree.files) == 3
    assert set(list_files(root, "image folder", {".jpg"})) == {"3"}
    with pytest.raises(InputError) as error:
        require_usable(path.name, "tags.csv, line 2")
    assert f"tags.csv, line 2: the name '{text}' is not UTF-8 or holds" in str(error.value)


@pytest.mark.parametrize("name", ["é 1", "日本", "a\u00a0b", "👩\u200d🚀", "x%20#;'\"&"])
def test_other_names_are_fine(name: str):
    assert is_usable(name)
    assert shown(name) == name
