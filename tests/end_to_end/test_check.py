"""`weclip check` by its command line: exit codes, what is said, the record, and nothing touched."""

import json
from pathlib import Path

import pytest
from tests.end_to_end import worlds

from weclip.cli import app as cli


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A clean folder whose three classes are in both splits."""
    return worlds.write_folder(tmp_path / "photos")


def run(photos: Path, *rest: object) -> int:
    changes = [
        f"data.root={photos}",
        f"data.tags_file={photos}/tags.jsonl",
        f"data.classes={photos}/classes.yaml",
        "data.eval_split=val",
    ]
    return cli.run(["check", "--config", "folder", *changes, *map(str, rest)])


def test_a_clean_data_set_is_0_and_needs_no_weights(photos, capsys):
    before = worlds.folder_content(photos)
    assert run(photos) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    assert "no errors, no warnings" in shown.out
    assert "information (1): images without tags" in shown.out
    assert "bird, dog" in shown.out
    assert "48 / 48 / 48" in shown.out
    assert worlds.folder_content(photos) == before


def test_warnings_are_1(photos, capsys):
    for index in range(5):
        (photos / f"new_{index}.jpg").write_bytes(b"")
    before = worlds.folder_content(photos)
    assert run(photos) == 1
    shown = capsys.readouterr().out
    assert "warning (5): images that neither a tags file nor" in shown
    assert "new_2.jpg\n    and 2 more\n" in shown
    assert shown.endswith("no errors, 1 warning\n")
    assert worlds.folder_content(photos) == before


def test_errors_are_2_and_training_meets_the_same(photos, clip_file, tmp_path, capsys):
    for path in (photos / "train").iterdir():
        path.write_bytes(path.read_bytes()[:500])
    assert run(photos) == 2
    shown = capsys.readouterr()
    assert shown.err == ""
    assert "error (8): images that cannot be read" in shown.out
    assert "train_0.jpg: image cannot be read (" in shown.out
    assert shown.out.endswith("1 error, no warnings\n")
    changes = (f"data.root={photos}", f"data.classes={photos}/classes.yaml")
    weights = (f"clip.weights={clip_file}", "data.tags_file=tags.jsonl", *worlds.SMALL)
    assert worlds.train(tmp_path / "run", *changes, *weights, config="folder") == 2
    assert "image cannot be read (" in capsys.readouterr().err


def test_the_record_holds_everything(photos, tmp_path):
    for index in range(5):
        (photos / f"new_{index}.jpg").write_bytes(b"")
    path = tmp_path / "new" / "check.json"
    assert run(photos, "--json", path) == 1
    record = json.loads(path.read_text())
    assert record["kind"] == "check"
    assert record["data"]["root"] == str(photos)
    assert record["train"]["class_counts"] == {"bird": 3, "cat": 3, "dog": 3}
    assert record["train"]["pair_counts"] == [["bird", "dog", 1], ["cat", "dog", 1]]
    assert (record["train"]["images"], record["eval"]["images"]) == (8, 3)
    assert record["eval"]["widths"] == [48, 48, 48]
    found = {finding["kind"]: finding for finding in record["findings"]}
    assert list(found) == ["unlisted_images", "untagged_images"]
    assert found["unlisted_images"]["severity"] == "warning"
    assert found["unlisted_images"]["count"] == 5
    assert found["unlisted_images"]["examples"] == [f"new_{i}.jpg" for i in range(5)]
    assert run(photos, "--json", path) == 1  # an earlier record may be replaced


@pytest.mark.parametrize("name", ["tags.jsonl", "classes.yaml", "train/train_0.jpg", ".", "masks"])
def test_the_record_replaces_nothing_else(photos, name, capsys):
    before = worlds.folder_content(photos)
    assert run(photos, "--json", photos / name) == 2
    assert capsys.readouterr().err.startswith("weclip: error: --json ")
    assert worlds.folder_content(photos) == before


def test_a_record_below_a_file_is_refused_before_reading(photos, capsys):
    assert run(photos, "--json", photos / "tags.jsonl" / "x.json") == 2
    shown = capsys.readouterr()
    assert "cannot be written" in shown.err
    assert shown.out == ""


def test_no_masks_is_a_warning_as_in_training(photos, capsys):
    for path in (photos / "masks" / "val").iterdir():
        path.unlink()
    assert run(photos) == 1
    shown = capsys.readouterr().out
    assert "warning (1): evaluation split that cannot be used" in shown
    assert "no mask for any of the 3 images of split 'val'" in shown


def test_voc_and_coco(voc_world, tmp_path, capsys):
    voc = [f"data.root={voc_world}", "data.tags_file=tags.csv", "data.train_split=train"]
    assert cli.run(["check", "--config", "voc", *voc]) == 1
    assert "warning (17): classes without a training image" in capsys.readouterr().out
    coco = worlds.write_coco(tmp_path / "MSCOCO")
    assert cli.run(["check", "--config", "coco", f"data.root={coco}"]) == 1
    assert "warning (77): classes without a training image" in capsys.readouterr().out


def test_a_users_mistake_is_one_line(photos, capsys):
    (photos / "train" / "train_0.jpg").unlink()
    assert run(photos) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "1 of 8 images of tags.jsonl missing, the first is 'train/train_0.jpg'" in shown.err
    assert shown.err.count("\n") == 1


def test_only_the_data_keys_are_needed(capsys):
    assert cli.run(["check", "--config", "voc"]) == 2
    assert "no value for data.root; add data.root=... to the command" in capsys.readouterr().err


def test_names_are_shown_as_they_are(photos, capsys):
    (photos / "[red]x[bold].jpg").write_bytes(b"")
    assert run(photos) == 1
    assert "    [red]x[bold].jpg\n" in capsys.readouterr().out


def test_tags_by_clip_are_no_finding(tmp_path: Path, capsys):
    worlds.write_folder(tmp_path / "photos")
    (tmp_path / "photos" / "tags.jsonl").unlink()
    assert cli.run(["check", str(tmp_path / "photos"), "data.tags_file=auto"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "Tags are left to CLIP (data.tags_file=auto)" in shown
    assert "without a training image" not in shown
    assert "images without tags" not in shown


def test_what_a_tags_file_leaves_out_is_information(tmp_path: Path, capsys):
    """CVAT cannot say that an image is finished; one without any object is no warning."""
    root = worlds.write_folder(tmp_path / "photos")
    (root / "tags.jsonl").unlink()
    rows = '<image name="train/train_0.jpg"><tag label="bird"/></image>'
    rows += "".join(f'<image name="train/train_{i}.jpg"/>' for i in range(1, 8))
    (root / "annotations.xml").write_text(f"<annotations>{rows}</annotations>")
    assert cli.run(["check", str(root)]) == 1
    shown = capsys.readouterr().out
    assert "information (7): images or tasks that the tags file leaves out" in shown
    assert "    train/train_1.jpg: no object or tag" in shown
    assert "warning (3): images that neither a tags file nor the folder of a class tags" in shown
    assert "no object or tag; with data.untagged=background they are" in shown.split("reading")[0]


def test_names_that_say_nearly_the_same(tmp_path: Path, capsys):
    worlds.write_folder(tmp_path / "photos")
    for index, name in enumerate(("bicycle", "bicyle")):
        image = tmp_path / "sorted" / name / f"{index}.jpg"
        image.parent.mkdir(parents=True)
        image.write_bytes((tmp_path / f"photos/train/train_{index}.jpg").read_bytes())
    assert cli.run(["check", str(tmp_path / "sorted")]) == 1
    shown = capsys.readouterr().out
    assert "warning (1): classes that say nearly the same to CLIP" in shown
    assert "bicycle and bicyle differ only by a letter" in shown


def test_classes_that_may_lie_deeper(tmp_path: Path, capsys):
    worlds.write_folder(tmp_path / "photos")
    for index, name in enumerate(("wild/fox", "wild/owl", "home/hen", "home/pig")):
        image = tmp_path / "sorted" / name / f"{index}.jpg"
        image.parent.mkdir(parents=True)
        image.write_bytes((tmp_path / f"photos/train/train_{index}.jpg").read_bytes())
    assert cli.run(["check", str(tmp_path / "sorted")]) == 1
    shown = capsys.readouterr().out
    assert "warning (2): classes whose images all lie in several folders below theirs" in shown
    assert "    home: hen, pig\n    wild: fox, owl\n" in shown
