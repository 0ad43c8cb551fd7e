import errno
import shutil

import pytest

from weclip.system.errors import InputError, WriteError
from weclip.system.files import (
    RUN_MARKER,
    at_home,
    claim_folder,
    require_names_fit,
    require_writable,
    write_atomically,
    write_folder_atomically,
    write_json,
    write_text,
)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_text_and_folders_are_made(tmp_path):
    write_text(tmp_path / "a" / "b.txt", "é\n")
    assert (tmp_path / "a" / "b.txt").read_bytes() == "é\n".encode()
    assert names(tmp_path / "a") == ["b.txt"]


def test_a_crash_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def crash(temporary):
        temporary.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, crash)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_the_final_file_is_untouched_while_writing(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def write(temporary):
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert temporary.parent == path.parent

    write_atomically(path, write)
    assert path.read_text() == "new"


def test_json_without_nan(tmp_path):
    write_json(tmp_path / "a.json", {"x": [1, None]})
    assert (tmp_path / "a.json").read_text() == '{\n  "x": [\n    1,\n    null\n  ]\n}\n'
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert names(tmp_path) == ["a.json"]


def fill(*file_names):
    """What writes these files into a folder, each holding its name."""

    def write(folder):
        for name in file_names:
            write_text(folder / name, name)

    return write


def test_a_new_folder_replaces_an_earlier_one(tmp_path):
    path = tmp_path / "new" / "a"
    for files in (["1", "2/3"], ["4"], []):
        assert write_folder_atomically(path, fill(*files)) == path
        assert sorted(str(p.relative_to(path)) for p in path.rglob("[1-9]") if p.is_file()) == files
        assert names(tmp_path / "new") == ["a"]


def test_a_folder_that_breaks_off_leaves_the_earlier_one(tmp_path):
    path = write_folder_atomically(tmp_path / "a", fill("old"))

    def crash(folder):
        fill("new")(folder)
        assert names(path) == ["old"]
        raise KeyboardInterrupt

    for target in (path, tmp_path / "b"):
        with pytest.raises(KeyboardInterrupt):
            write_folder_atomically(target, crash)
    assert names(tmp_path) == ["a"]
    assert names(path) == ["old"]


def test_an_earlier_folder_is_not_deleted_where_it_is(tmp_path, monkeypatch):
    """Killed while it deletes, the command would leave half of it under its name."""
    path, deleted, remove = (
        write_folder_atomically(tmp_path / "a", fill("1", "2")),
        [],
        shutil.rmtree,
    )

    def record(folder, **options):
        deleted.append(folder)
        assert not path.exists() or names(path) == ["3"]
        remove(folder, **options)

    monkeypatch.setattr(shutil, "rmtree", record)
    write_folder_atomically(path, fill("3"))
    assert deleted
    assert path not in deleted
    assert names(tmp_path) == ["a"]


def test_two_processes_write_one_folder_at_once(tmp_path):
    """The other is faster."""
    path = tmp_path / "a"

    def write(folder):
        fill("mine")(folder)
        write_folder_atomically(path, fill("theirs"))

    write_folder_atomically(path, write)
    assert names(path) == ["mine"]
    assert names(tmp_path) == ["a"]


def test_a_folder_that_cannot_be_renamed_is_an_error(tmp_path, monkeypatch):
    path = write_folder_atomically(tmp_path / "a", fill("old"))
    replace = type(path).replace

    def refuse(self, target):
        if self == path:
            raise OSError(errno.EACCES, "Permission denied", str(self))
        return replace(self, target)

    def refuse_the_new(self, target):
        if target == path and (self / "new").exists() and not path.exists():
            raise OSError(errno.EIO, "Input/output error", str(self))
        return replace(self, target)

    for refused, said in ((refuse, "Permission denied"), (refuse_the_new, "Input/output")):
        monkeypatch.setattr(type(path), "replace", refused)
        with pytest.raises(WriteError, match=said):
            write_folder_atomically(path, fill("new"))
        assert names(tmp_path) == ["a"]
        assert names(path) == ["old"]


@pytest.fixture
def output(tmp_path):
    """An earlier prediction."""
    out = tmp_path / "out"
    write_json(out / RUN_MARKER, {"kind": "prediction"})
    write_text(out / "masks" / "x.png", "mask")
    return out


def refused(out, pattern, kind="prediction", **options):
    before = sorted(out.rglob("*")) if out.is_dir() else out.read_bytes()
    with pytest.raises(InputError, match=pattern) as caught:
        claim_folder(out, kind, **options)
    assert "\n" not in str(caught.value)
    assert before == (sorted(out.rglob("*")) if out.is_dir() else out.read_bytes())


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_new_or_empty_folder_is_fine(tmp_path, overwrite):
    for _ in range(2):
        claim_folder(tmp_path / "a" / "b", "training", overwrite=overwrite)
    assert names(tmp_path / "a" / "b") == []


def test_a_file_is_refused(tmp_path):
    write_text(tmp_path / "a", "x")
    refused(tmp_path / "a", r"--out .*a is a file; give a folder", overwrite=True)
    with pytest.raises(InputError, match=r"--out .*b cannot be made \(Not a directory\)"):
        claim_folder(tmp_path / "a" / "b", "training")


def test_files_are_kept_without_overwrite(output):
    refused(output, "is not empty; choose another folder or add --overwrite")


def test_overwrite_empties_an_output_of_the_same_kind(output):
    claim_folder(output, "prediction", overwrite=True)
    assert names(output) == []


def test_overwrite_through_a_link(output, tmp_path):
    """The folder stays, links in it are not followed."""
    kept = tmp_path / "kept"
    write_text(kept / "a", "x")
    (output / "link").symlink_to(kept)
    (tmp_path / "name").symlink_to(output)
    claim_folder(tmp_path / "name", "prediction", overwrite=True)
    assert names(output) == []
    assert names(kept) == ["a"]


def test_overwrite_never_deletes_a_folder_of_somebody_else(tmp_path):
    write_text(tmp_path / "photos" / "a.jpg", "x")
    refused(tmp_path / "photos", "holds other files .*does not delete it", overwrite=True)
    write_text(tmp_path / "photos" / RUN_MARKER, "not ours")
    refused(tmp_path / "photos", "holds other files .*does not delete it", overwrite=True)


def test_overwrite_never_deletes_another_kind(output):
    refused(
        output,
        "holds a prediction and no training of weclip's",
        kind="training",
        overwrite=True,
    )


@pytest.mark.parametrize("length", [250, 255])
def test_every_name_that_the_disk_allows_can_be_written(tmp_path, length):
    path = tmp_path / ("é" * 100 + "x" * (length - 200))
    write_text(path, "a")
    write_folder_atomically(path.with_name("f" * length), fill("b"))
    assert names(tmp_path) == sorted([path.name, "f" * length])
    require_names_fit(tmp_path, [path, tmp_path.joinpath("f" * length)])


def test_a_name_that_is_too_long_is_said_before(tmp_path):
    with pytest.raises(InputError, match=r"xxx\.\.\.: .* has a name of 256 bytes, .* rename it"):
        require_names_fit(tmp_path, [tmp_path / ("x" * 256)])


def test_a_file_that_can_be_written_is_not_there_afterwards(tmp_path):
    require_writable(tmp_path / "new" / "sub" / "a.csv", "--out")
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", ["x" * 256, "file/a.csv"])
def test_a_file_that_cannot_be_written_is_said_before(tmp_path, name):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"--json .* cannot be written \(.*\); choose another"):
        require_writable(tmp_path / name, "--json")


def test_home(monkeypatch):
    monkeypatch.setenv("HOME", "/elsewhere/me")
    assert at_home("~/run") == "/elsewhere/me/run"
    assert at_home("~") == "/elsewhere/me"
    assert at_home("~nobody-of-this-name/x") == "~nobody-of-this-name/x"
    assert at_home("a/~/b") == "a/~/b"


def test_no_home(monkeypatch):
    def unknown(self):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr("weclip.system.files.Path.expanduser", unknown)
    with pytest.raises(InputError, match="~/run: this user has no home folder; write the whole"):
        at_home("~/run")
