"""`corrected/`: what is written is read again, versions are kept, and damage is said."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from weclip.data.batch import TaggedImage
from weclip.data.classes import ClassList, load_classes
from weclip.data.corrections.folder import read_corrections
from weclip.data.corrections.writing import Accepted, StaleError, open_for_writing
from weclip.system.errors import InputError, WriteError

CLASSES = ClassList(("dog", "traffic light"), (("dog",), ("traffic light",)), ("ground",))
MASK = np.array([[0, 1], [2, 255]], np.uint8)
IMAGE = TaggedImage("beach/1.v2", Path("photos/beach/1.v2.JPG"), (0,))
OTHER = TaggedImage("2", Path("photos/2.png"), ())


def corrections(folder: Path):
    return read_corrections(folder, CLASSES)


def test_an_accepted_image_has_its_mask_and_tags(tmp_path: Path):
    with open_for_writing(tmp_path, CLASSES, "review") as writer:
        writer.accept(Accepted(IMAGE, (1, 0), MASK), seen=0)
        writer.accept(Accepted(OTHER, (), MASK), seen=0)
    found = corrections(tmp_path).of("beach/1.v2")
    assert (found.decision, found.tags, found.version) == ("accept", (0, 1), 1)
    with Image.open(str(found.mask)) as mask:
        assert mask.mode == "P"
        assert np.array_equal(np.array(mask), MASK)
    assert (tmp_path / "tags.csv").read_text() == (
        "image,tags\n2.png,\nbeach/1.v2.JPG,dog;traffic light\n"
    )
    assert corrections(tmp_path).of("2").tags == ()


def test_an_edit_takes_a_decision_back_and_a_skip_does_not(tmp_path: Path):
    with open_for_writing(tmp_path, CLASSES, "review") as writer:
        writer.accept(Accepted(IMAGE, (0,), MASK), seen=0)
        assert writer.decide(IMAGE, "skip", seen=1).accepted
        assert writer.edit_mask(IMAGE, MASK, seen=2).decision == "open"
        assert writer.decide(IMAGE, "reject", seen=3).rejected
        assert writer.edit_tags(IMAGE, [1], seen=4).decision == "open"
        assert writer.decide(OTHER, "skip", seen=0).decision == "skip"
    found = corrections(tmp_path)
    assert (found.of("beach/1.v2").decision, found.of("beach/1.v2").tags) == ("open", (1,))
    assert [path.name for path in found.files] == ["classes.yaml", "log.jsonl", "tags.csv"]


def test_nobody_overwrites_what_they_have_not_seen(tmp_path: Path):
    with open_for_writing(tmp_path, CLASSES, "review") as writer:
        writer.edit_tags(IMAGE, [1], seen=0)
        with pytest.raises(StaleError):
            writer.edit_mask(IMAGE, MASK, seen=0)
        with pytest.raises(StaleError):
            writer.add_class("cat", seen=1)
    assert corrections(tmp_path).of(IMAGE.name).version == 1
    assert not (tmp_path / "masks").exists()


def test_one_process_holds_the_folder(tmp_path: Path):
    with (
        open_for_writing(tmp_path, CLASSES, "review"),
        pytest.raises(InputError, match=r"a review .* works there now"),
        open_for_writing(tmp_path, CLASSES, "review"),
    ):
        pass


def test_classes_are_renamed_and_added_and_keep_their_ids(tmp_path: Path):
    with open_for_writing(tmp_path, CLASSES, "review") as writer:
        writer.edit_tags(IMAGE, [0], seen=0)
        writer.rename_class(1, "wolf", seen=0)
        writer.add_class("cat", seen=1)
        with pytest.raises(InputError, match="'cat' appears 2 times"):
            writer.add_class("cat", seen=2)
    found = corrections(tmp_path)
    assert found.classes.names == ("wolf", "traffic light", "cat")
    assert found.classes.prompts[0] == ("wolf",)
    assert found.of(IMAGE.name).tags == (0,)
    (tmp_path / "tags.csv").write_text("image,tags\n2.png,dog\n")  # killed before it was written
    assert corrections(tmp_path).of("2").tags == (0,)
    with pytest.raises(InputError, match="its class 1 is 'wolf', that of the data is 'aeroplane'"):
        read_corrections(tmp_path, load_classes("voc"))


def test_what_a_legend_does_not_know_is_of_the_data(tmp_path: Path):
    legend = ClassList(("dog", "traffic light"), (("dog",), ("traffic light",)), ())
    data = ClassList(legend.names, (("hound",), ("lamp",)), ("street",))
    with open_for_writing(tmp_path, legend, "review") as writer:
        writer.rename_class(1, "wolf", seen=0)
    found = read_corrections(tmp_path, data).classes
    assert found.prompts == (("wolf",), ("lamp",))
    assert found.background_words == ("street",)


def test_half_a_line_is_passed_over_and_cut(tmp_path: Path):
    with open_for_writing(tmp_path, CLASSES, "review") as writer:
        writer.decide(IMAGE, "reject", seen=0)
    log = tmp_path / "log.jsonl"
    whole = log.read_text()
    log.write_text(whole + '{"time": "2026')
    assert corrections(tmp_path).of(IMAGE.name).version == 1
    with open_for_writing(tmp_path, CLASSES, "review") as writer:
        assert log.read_text() == whole
        writer.decide(IMAGE, "open", seen=1)
    assert [json.loads(line)["action"] for line in log.read_text().splitlines()] == [
        "reject",
        "open",
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"time": "", "image": "../a", "action": "skip"}', "no name inside the folder"),
        ('{"time": "", "image": "/a", "action": "skip"}', "no name inside the folder"),
        ('{"time": "", "image": "a", "action": "destroy"}', "unknown action 'destroy'"),
        ('{"image": "a"}', "no action of weclip review"),
        ("[]", "no action of weclip review"),
        ("{", "line 1: no action of weclip review"),
        ('{"time": "", "image": null, "action": "skip"}', "'skip' with the image null"),
        ('{"time": "", "image": "a", "action": "accept"}', "mask of an accepted image is missing"),
    ],
)
def test_a_damaged_log_is_said(tmp_path: Path, line: str, said: str):
    (tmp_path / "log.jsonl").write_text(line + "\n")
    with pytest.raises(InputError, match=said):
        corrections(tmp_path)


def test_a_folder_without_corrections_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match="no corrections here"):
        corrections(tmp_path)


def test_a_full_disk_leaves_the_version_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(file: int) -> None:
        raise OSError(28, "No space left on device")

    with open_for_writing(tmp_path, CLASSES, "review") as writer:
        monkeypatch.setattr("weclip.data.corrections.log.os.fsync", full)
        with pytest.raises(WriteError, match="No space left"):
            writer.decide(IMAGE, "reject", seen=0)
        monkeypatch.undo()
        assert writer.of(IMAGE.name).version == 0
        assert (tmp_path / "log.jsonl").read_text() == ""
