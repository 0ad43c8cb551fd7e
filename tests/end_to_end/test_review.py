"""What `weclip review` opens: masks of label, a run, predictions; and what it refuses."""

from pathlib import Path

import numpy as np
import pytest
from tests.end_to_end import worlds

from weclip.cli import app as cli
from weclip.data.corrections.writing import Writer, open_for_writing
from weclip.data.masks.mask_files import read_mask, save_mask
from weclip.review.order import in_order
from weclip.review.reviewed import Reviewed
from weclip.review.session import Session
from weclip.system.console import QUIET
from weclip.system.errors import InputError
from weclip.system.files import require_claimable
from weclip.tasks.review.opening import ReviewAt, open_reviewed
from weclip.tasks.review.second import differences
from weclip.tasks.review.suspects import read_suspects

NAMES = [name for name, _ in worlds.scenes() if name.startswith("train")]
PNG = b"\x89PNG"


@pytest.fixture(scope="module")
def labelled(voc_world: Path, clip_file: Path, tmp_path_factory) -> Path:
    """A finished output of label; only `corrected` in it may be changed."""
    out = tmp_path_factory.mktemp("review") / "masks"
    data = [f"data.root={voc_world}", "data.tags_file=tags.csv", "data.train_split=train"]
    line = ["label", "--config", "voc", *data, f"clip.weights={clip_file}", "--soft"]
    assert cli.run([*line, "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def predicted(voc_world: Path, run_folder: Path, tmp_path_factory) -> Path:
    """The same of predict."""
    out = tmp_path_factory.mktemp("review") / "predicted"
    line = ["predict", str(voc_world / "JPEGImages"), "--model", str(run_folder), "--confidence"]
    assert cli.run([*line, "--out", str(out)]) == 0
    return out


def session(reviewed: Reviewed, folder: Path) -> Session:
    return Session(reviewed, Writer(folder, reviewed.classes))


def test_masks_of_label_know_their_images_and_how_sure_they_are(labelled: Path, tmp_path: Path):
    reviewed = open_reviewed(ReviewAt(labelled), QUIET)
    assert [item.image.name for item in reviewed.items] == NAMES
    order = in_order(reviewed, "doubt", {}, None)
    sure = [reviewed.items[place].confidence for place in order]
    assert sure == sorted(sure)
    shown = session(reviewed, tmp_path)
    tag = reviewed.items[0].image.tags[0] + 1
    assert bytes(shown.heat(0, "cam", tag))[:4] == PNG
    assert shown.heat(0, "cam", 20) == "no CAM: the mask was made without this tag"
    assert "keeps that of a whole mask only" in str(shown.heat(0, "confidence", 0))


def test_a_labelling_that_is_not_finished_can_be_reviewed(labelled: Path):
    manifest = labelled / "manifest.jsonl"
    kept = manifest.read_text()
    manifest.unlink()
    try:
        reviewed = open_reviewed(ReviewAt(labelled), QUIET)
    finally:
        manifest.write_text(kept)
    assert all(item.confidence is not None for item in reviewed.items)


def test_a_run_predicts_what_is_shown(run_folder: Path, tmp_path: Path):
    reviewed = open_reviewed(ReviewAt(run_folder), QUIET)
    shown = session(reviewed, tmp_path)
    found = shown.shown(1)
    assert found["name"] == NAMES[1]
    assert 0 < found["confidence"] <= 1
    assert shown.mask(1).shape == (worlds.SIZE, worlds.SIZE)
    assert bytes(shown.heat(1, "confidence", 0))[:4] == PNG
    shown.decide(1, "accept", 0)
    assert (tmp_path / "masks" / f"{NAMES[1]}.png").exists()


def test_predictions_need_their_images_and_take_tags_where_there_are(
    predicted: Path, voc_world: Path, tmp_path: Path
):
    with pytest.raises(InputError, match="add --data FOLDER"):
        open_reviewed(ReviewAt(predicted), QUIET)
    plain = open_reviewed(ReviewAt(predicted, voc_world / "JPEGImages"), QUIET)
    assert len(plain.items) == 11
    shown = session(plain, tmp_path)
    for place in (0, 5):
        tags = [tag + 1 for tag in plain.items[place].image.tags]
        assert tags == [i for i in np.unique(shown.mask(place)).tolist() if 0 < i < 255]
    assert bytes(shown.heat(0, "confidence", 0))[:4] == PNG
    changes = ["data.format=voc", "data.tags_file=tags.csv", "data.train_split=train"]
    tagged = open_reviewed(ReviewAt(predicted, voc_world, changes=changes), QUIET)
    assert [item.image.name for item in tagged.items] == NAMES
    assert tagged.items[0].image.tags
    assert tagged.items[0].mask is not None
    assert tagged.items[0].mask.exists()


def test_how_much_two_masks_differ(labelled: Path, tmp_path: Path):
    reviewed = open_reviewed(ReviewAt(labelled), QUIET)
    second, names = tmp_path / "second", [item.image.name for item in reviewed.items]
    same, other = (read_mask(labelled / "masks" / f"{name}.png") for name in names[:2])
    other[:2] = 255 - other[:2]
    save_mask(same, second / "masks" / f"{names[0]}.png")
    save_mask(other, second / "masks" / f"{names[1]}.png")
    found = differences(reviewed.items, second)
    assert found == {names[0]: 0.0, names[1]: 2 / len(other)}
    save_mask(other[1:], second / "masks" / f"{names[1]}.png")
    with pytest.raises(
        InputError, match=r"--second: .*png is \(\d+, \d+\), but .* is \(\d+, \d+\)"
    ):
        differences(reviewed.items, second)


def test_suspects_are_those_of_the_list(labelled: Path, tmp_path: Path):
    path = tmp_path / "doubtful.csv"
    path.write_text(f"image,tag,seen,confidence\n{NAMES[2]}.png,dog,cat,0.98\n")
    found = read_suspects(path, NAMES)
    assert found[NAMES[2]][0].text == "CLIP does not see dog, but cat"
    with pytest.raises(InputError, match="none of its images"):
        read_suspects(path, ["other"])
    path.write_text("image,tags\na.png,dog\n")
    with pytest.raises(InputError, match="no list of weclip check --suspects"):
        read_suspects(path, NAMES)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["{none}"], "no such folder; give what weclip label or predict wrote"),
        (["{empty}"], "nothing to review; give an output folder of weclip label"),
        (["{out}", "--data", "{empty}"], "no VOC data set here"),
        (["{out}", "--suspects", "{none}.csv"], "not found"),
        (["{out}", "--second", "{none}"], "no mask of these images beside one that is reviewed"),
        (["{out}", "--port", "99999"], "--port"),
    ],
)
def test_what_cannot_be_reviewed_is_one_line(line, said, labelled, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    names = {"none": tmp_path / "none", "empty": tmp_path / "empty", "out": labelled}
    given = [text.format(**names) for text in line]
    assert cli.run(["review", *given, "--no-browser"]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_corrections_are_not_overwritten(labelled: Path, capsys):
    reviewed = open_reviewed(ReviewAt(labelled), QUIET)
    with open_for_writing(labelled / "corrected", reviewed.classes, "review") as writer:
        writer.decide(reviewed.items[0].image, "skip", seen=0)
        assert cli.run(["review", str(labelled), "--no-browser"]) == 2
        assert "a review (process" in capsys.readouterr().err
    line = ["label", str(labelled), "--out", str(labelled), "--overwrite", "clip.weights=demo"]
    with pytest.raises(InputError, match="holds corrections by hand"):
        require_claimable(labelled, "labelling", overwrite=True)
    assert cli.run(line) == 2
    assert (labelled / "corrected" / "log.jsonl").exists()
