import pytest

from weclip.errors import InputError
from weclip.files import RUN_MARKER, claim_folder, write_atomically, write_json, write_text


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
