import io
import json
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from weclip.prepare import unpack as module
from weclip.prepare.unpack import unpack, unpack_once
from weclip.system.errors import InputError

FILES = {"top/a/1.txt": b"one", "top/a/b/2.txt": b"two" * 1000, "top/c/3.txt": b"", "read.me": b"x"}
WANTED = {"top/a/": "out/x/", "read.me": "read.me"}
EXPECTED = {"out/x/1.txt": b"one", "out/x/b/2.txt": b"two" * 1000, "read.me": b"x"}

Entry = tuple[str, str, bytes]
"""Name, kind (file, symlink, hardlink, device, pipe, folder), content or target."""

TAR_TYPES = {
    "file": tarfile.REGTYPE,
    "symlink": tarfile.SYMTYPE,
    "hardlink": tarfile.LNKTYPE,
    "device": tarfile.CHRTYPE,
    "pipe": tarfile.FIFOTYPE,
    "folder": tarfile.DIRTYPE,
}
ZIP_MODES = {
    "file": stat.S_IFREG | 0o644,
    "symlink": stat.S_IFLNK | 0o777,
    "device": stat.S_IFCHR | 0o644,
    "pipe": stat.S_IFIFO | 0o644,
    "folder": stat.S_IFDIR | 0o755,
}


def ignore(what: str, done: int, total: int | None) -> None:
    pass


def make_tar(path: Path, entries: list[Entry]) -> Path:
    with tarfile.open(path, "w:gz" if path.suffix == ".tgz" else "w") as file:
        for name, kind, content in entries:
            info = tarfile.TarInfo()
            info.name, info.type = name, TAR_TYPES[kind]
            if kind == "file":
                info.size = len(content)
            else:
                info.linkname = content.decode()
            file.addfile(info, io.BytesIO(content))
    return path


def make_zip(path: Path, entries: list[Entry]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, kind, content in entries:
            info = zipfile.ZipInfo(name + "/" * (kind == "folder"))
            info.create_system, info.external_attr = 3, ZIP_MODES[kind] << 16
            file.writestr(info, content)
    return path


MAKERS = {"a.tar": make_tar, "a.tgz": make_tar, "a.zip": make_zip}


@pytest.fixture(params=list(MAKERS))
def make(request, tmp_path) -> Callable[[list[Entry]], Path]:
    return lambda entries: MAKERS[request.param](tmp_path / request.param, entries)


def entries() -> list[Entry]:
    folders: list[Entry] = [("top", "folder", b""), ("top/a", "folder", b"")]
    return folders + [(name, "file", content) for name, content in FILES.items()]


def content(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_only_what_is_wanted_is_unpacked(make, tmp_path):
    sizes = unpack(make(entries()), tmp_path / "out", WANTED, ignore)
    assert content(tmp_path / "out") == EXPECTED
    assert sizes == {name: len(text) for name, text in EXPECTED.items()}


def test_what_is_there_is_skipped_and_what_is_cut_off_is_not(make, tmp_path):
    archive, out = make(entries()), tmp_path / "out"
    unpack(archive, out, WANTED, ignore)
    (out / "out/x/1.txt").write_bytes(b"ONE")  # the right size: kept
    (out / "out/x/b/2.txt").write_bytes(b"tw")
    told = []
    unpack(archive, out, WANTED, lambda *what: told.append(what))
    assert content(out) == {**EXPECTED, "out/x/1.txt": b"ONE"}
    assert told == [(f"unpacking {archive.name}", 3000, 3000)]


BAD: dict[str, tuple[Entry, str]] = {
    "up": (("../evil", "file", b"x"), "outside the folder"),
    "up later": (("top/a/../../../evil", "file", b"x"), "outside the folder"),
    "up and back": (("top/../../new/evil", "file", b"x"), "outside the folder"),
    "folder": (("../evil", "folder", b""), "outside the folder"),
    "absolute": (("/tmp/evil", "file", b"x"), "outside the folder"),
    "drive": (("C:/evil", "file", b"x"), "outside the folder"),
    "drive, relative": (("c:evil", "file", b"x"), "outside the folder"),
    "backslashes": (("top\\..\\..\\evil", "file", b"x"), "outside the folder"),
    "share": (("\\\\host\\evil", "file", b"x"), "outside the folder"),
    "link up": (("top/a/evil", "symlink", b"../../../x"), "is a link to"),
    "link, absolute": (("evil", "symlink", b"/etc"), "is a link to"),
    "wanted link inside": (("top/a/evil", "symlink", b"1.txt"), "only files are unpacked"),
    "hard link up": (("evil", "hardlink", b"../x"), "is a link to"),
    "hard link up, from below": (("top/c/evil", "hardlink", b"../x"), "is a link to"),
    "hard link, absolute": (("evil", "hardlink", b"/etc/passwd"), "is a link to"),
    "device": (("top/a/evil", "device", b""), "device or pipe"),
    "pipe": (("evil", "pipe", b""), "device or pipe"),
}


@pytest.mark.parametrize(
    ("name", "case"),
    [(n, c) for n in MAKERS for c in BAD if n != "a.zip" or "hard" not in c],  # zips have none
)
@pytest.mark.parametrize("last", [True, False])
def test_a_malicious_archive_is_refused_whole(tmp_path, name, case, last):
    entry, expected = BAD[case]
    archive = tmp_path / name
    MAKERS[name](archive, [*entries(), entry] if last else [entry, *entries()])
    before = content(tmp_path)
    with pytest.raises(InputError, match=expected) as error:
        unpack(archive, tmp_path / "deep" / "out", WANTED, ignore)
    assert repr(entry[0]) in str(error.value) or repr(entry[0] + "/") in str(error.value)
    assert content(tmp_path) == before
    assert not (tmp_path / "deep").exists()


def test_a_link_inside_that_is_not_wanted_is_left_out(make, tmp_path):
    archive = make([*entries(), ("top/c/link", "symlink", b"../a/1.txt")])
    unpack(archive, tmp_path / "out", WANTED, ignore)
    assert content(tmp_path / "out") == EXPECTED


def test_a_link_and_a_file_behind_it(make, tmp_path):
    """The classic: a link out, then a file through it. The link is never made."""
    archive = make([("top/a", "symlink", b".."), ("top/a/evil", "file", b"x")])
    unpack(archive, tmp_path / "out", WANTED, ignore)
    assert content(tmp_path / "out") == {"out/x/evil": b"x"}
    assert not (tmp_path / "out" / "out" / "x").is_symlink()


def test_nothing_wanted_in_it(make, tmp_path):
    with pytest.raises(InputError, match=r"nothing in it begins with other/"):
        unpack(make(entries()), tmp_path / "out", {"other/": ""}, ignore)


@pytest.mark.parametrize("kept", [0, 10, 0.5, 0.9])
def test_a_truncated_archive(make, tmp_path, kept):
    noise = os.urandom(200_000)
    archive = make([("top/a/0", "file", noise), *entries(), ("top/a/z", "file", noise)])
    whole = archive.read_bytes()
    archive.write_bytes(whole[: kept if kept == 10 else int(kept * len(whole))])
    with pytest.raises(InputError, match=r"not a whole tar or zip archive"):
        unpack(archive, tmp_path / "out", WANTED, ignore)


def test_a_corrupted_byte_in_a_zip_is_found(tmp_path):
    noise = os.urandom(100_000)
    archive = make_zip(tmp_path / "a.zip", [("top/a/0", "file", noise), ("top/a/1", "file", b"x")])
    whole = bytearray(archive.read_bytes())
    whole[50_000] ^= 1
    archive.write_bytes(whole)
    with pytest.raises(InputError, match=r"not a whole tar or zip archive \(.*; delete it"):
        unpack(archive, tmp_path / "out", WANTED, ignore)
    assert content(tmp_path / "out") == {}


def test_a_full_disk_is_said_first(make, tmp_path, monkeypatch):
    usage = module.shutil.disk_usage(tmp_path)._replace(free=3003)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: usage)
    archive = make(entries())
    with pytest.raises(InputError, match=r"still to be unpacked"):
        unpack(archive, tmp_path / "out", WANTED, ignore)
    assert content(tmp_path / "out") == {}


def test_the_receipt_spares_the_archive_until_something_is_missing(make, tmp_path):
    archive, out, receipt = make(entries()), tmp_path / "out", tmp_path / "receipt.json"
    asked = []

    def find() -> Path:
        asked.append(1)
        return archive

    for _ in range(2):
        unpack_once(find, out, WANTED, receipt, ignore)
    assert len(asked) == 1
    (out / "out/x/1.txt").unlink()
    unpack_once(find, out, WANTED, receipt, ignore)
    assert len(asked) == 2
    assert content(out) == EXPECTED
    unpack_once(find, out, {"top/": "all/"}, receipt, ignore)
    assert len(asked) == 3
    assert json.loads(receipt.read_text())["files"].keys() == {
        f"all/{name[4:]}" for name in FILES if name.startswith("top/")
    }
