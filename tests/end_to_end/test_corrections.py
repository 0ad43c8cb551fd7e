"""A person's corrections in training and labelling: read by name, recorded, never by themselves."""

import json
import shutil
from contextlib import ExitStack

import numpy as np
import pytest
from tests.end_to_end.worlds import train, voc_changes
from tests.training.tiny_run import same

import weclip
from weclip.cli import app as cli
from weclip.data.batch import TaggedImage
from weclip.data.classes import load_classes
from weclip.data.corrections.writing import Accepted, open_for_writing
from weclip.data.masks.mask_files import read_mask, save_mask
from weclip.training.checkpoint import latest_checkpoint
from weclip.training.loop import Trainer

VOC = load_classes("voc")
BIRD, DOG = VOC.index("bird"), VOC.index("dog")


def last(out):
    return latest_checkpoint(out / "checkpoints")[0]


def write_corrections(folder, root, *, add=None):
    """Two accepted masks, of which one shows no tag of its own; one retagged, one rejected."""
    with open_for_writing(folder, VOC, "review") as writer:
        for name, tags in (("train_0", (BIRD,)), ("train_5", ())):
            image = TaggedImage(name, root / "JPEGImages" / f"{name}.png", ())
            mask = read_mask(root / "SegmentationClass" / f"{name}.png")
            mask[:8] = 255
            mask[40:, 40:] = DOG + 1
            writer.accept(Accepted(image, tags, mask), seen=0)
        one, other = (TaggedImage(f"train_{i}", root / f"train_{i}.png", ()) for i in (1, 2))
        writer.edit_tags(one, [DOG], seen=0)
        writer.decide(other, "reject", seen=0)
        if add is not None:
            writer.add_class(add, seen=0)
    return folder


@pytest.fixture(scope="module")
def corrected(tmp_path_factory, voc_world):
    """Corrections of the VOC folder; do not change them."""
    return write_corrections(tmp_path_factory.mktemp("labels") / "corrected", voc_world)


@pytest.fixture(scope="module")
def changes(voc_world, clip_file, corrected):
    return [*voc_changes(voc_world, clip_file), f"data.corrected={corrected}"]


@pytest.fixture(scope="module")
def run(tmp_path_factory, changes):
    """A finished run with corrections; do not change it."""
    out = tmp_path_factory.mktemp("runs") / "corrected"
    assert train(out, *changes, "loss.corrected_weight=2") == 0
    return out


def test_they_are_named_and_recorded(run, run_folder, corrected):
    assert not same(last(run).trained, last(run_folder).trained)
    record = json.loads((run / "run.json").read_text())
    found = record["corrected"]
    assert record["images"] == 7
    assert found["folder"] == str(corrected)
    assert (found["masks"], found["tags"], found["rejected"]) == (2, 3, 1)
    assert last(run).inputs["corrected masks"] == found["masks_sha256"]
    assert "corrected" not in json.loads((run_folder / "run.json").read_text())


def test_the_card_says_it(run, run_folder, tmp_path):
    card = (weclip.bundle(run, out=tmp_path / "one").out / "README.md").read_text()
    assert "- 2 masks that a person corrected took the place of labels made from tags." in card
    assert "from image-level tags and corrected masks, on a frozen CLIP" in card
    other = (weclip.bundle(run_folder, out=tmp_path / "other").out / "README.md").read_text()
    assert "corrected" not in other


def test_the_screen_says_what_they_are(tmp_path, changes, capsys):
    assert train(tmp_path / "run", *changes, "train.steps=1") == 0
    told = capsys.readouterr().out
    assert "corrected 2 masks, tags of 3 images, 1 images left out; " in told
    assert "2 corrected masks show a class that is no tag; it is now" in told


def test_what_is_learnt_from(run, changes, tmp_path, monkeypatch, voc_world):
    seen = {}
    honest = Trainer.train_step

    def watched(self, batch):
        output = honest(self, batch)
        for name, tags, target in zip(batch.names, batch.tags, output.target, strict=True):
            seen.setdefault(name, []).append((tags.nonzero()[:, 0].tolist(), target))
        return output

    monkeypatch.setattr(Trainer, "train_step", watched)
    whole = ["data.scale_range=[1.0,1.0]", "data.flip_probability=0", "train.steps=8"]
    assert train(tmp_path / "run", *changes, *whole) == 0
    assert "train_2" not in seen
    assert seen["train_0"][0][0] == [BIRD, DOG]
    assert seen["train_1"][0][0] == [DOG]
    mask = read_mask(voc_world / "SegmentationClass" / "train_0.png")
    mask[:8], mask[40:, 40:] = 255, DOG + 1
    for _, target in seen["train_0"]:
        np.testing.assert_array_equal(target.numpy(), mask)


def test_resume_is_bit_exact_and_refuses_other_corrections(
    run, changes, tmp_path, monkeypatch, voc_world, capsys, corrected
):
    out, own = tmp_path / "run", tmp_path / "corrected"
    shutil.copytree(corrected, own)
    given = [*changes[:-1], f"data.corrected={own}", "loss.corrected_weight=2"]
    honest = Trainer.train_step

    def interrupted(self, batch):
        if self.step == 3:
            raise KeyboardInterrupt
        return honest(self, batch)

    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(Trainer, "train_step", interrupted)
        assert train(out, *given) == 130
    path = own / "masks" / "train_0.png"
    mask = read_mask(path)
    save_mask(np.zeros_like(mask), path)
    assert train(out, *given, "--resume") == 2
    assert "the corrected masks are others" in capsys.readouterr().err
    save_mask(mask, path, palette=None)
    assert train(out, *changes[:-1], "loss.corrected_weight=2", "--resume") == 2
    assert "data.corrected was " in capsys.readouterr().err
    assert train(out, *given, "--resume") == 0
    assert same(last(out).trained, last(run).trained)


def test_without_the_key_they_are_not_looked_at(tmp_path, voc_world, clip_file, run_folder):
    """Even beside the data and in the run's folder."""
    root = tmp_path / "VOC2012"
    shutil.copytree(voc_world, root)
    for folder in (root / "corrected", tmp_path / "corrected"):
        write_corrections(folder, voc_world)
        (folder / "log.jsonl").write_text("broken")
    assert train(tmp_path / "run", *voc_changes(root, clip_file)) == 0
    assert same(last(tmp_path / "run").trained, last(run_folder).trained)


def test_a_new_class_is_learnt_and_scored(tmp_path, voc_world, clip_file):
    own = write_corrections(tmp_path / "corrected", voc_world, add="zebra")
    given = [*voc_changes(voc_world, clip_file), f"data.corrected={own}"]
    out = tmp_path / "run"
    assert train(out, *given, "train.steps=1") == 0
    shutil.rmtree(own)
    scores = ["evaluate", "--model", str(out), "--out", str(tmp_path / "scores")]
    assert cli.run(scores) == 0
    assert "zebra" in (tmp_path / "scores" / "evaluation.json").read_text()


def test_afa_and_wrong_folders(tmp_path, afa_changes, corrected, capsys, voc_world):
    given = [*afa_changes, "train.steps=2"]
    assert train(tmp_path / "run", *given, f"data.corrected={corrected}", config="voc-afa") == 0
    own = tmp_path / "own"
    for folder, message in (
        (tmp_path / "nowhere", "no corrections here"),
        (own, "the mask is 10 x 10 pixels"),
    ):
        if folder == own:
            write_corrections(own, voc_world)
            save_mask(np.zeros((10, 10), np.uint8), own / "masks" / "train_0.png")
        assert train(tmp_path / "new", *given, f"data.corrected={folder}", config="voc-afa") == 2
        assert message in capsys.readouterr().err
        assert not (tmp_path / "new").exists()


def test_label_keeps_them(tmp_path, voc_world, clip_file, corrected, capsys):
    data = [f"data.root={voc_world}", "data.tags_file=tags.csv", "data.train_split=train"]
    out = tmp_path / "labels"
    line = ["label", "--config", "voc", *data, f"clip.weights={clip_file}", "--out", str(out)]
    assert cli.run([*line, "--soft"]) == 0
    before = (out / "masks" / "train_3.png").stat().st_mtime_ns
    capsys.readouterr()
    more = ["--corrected", str(corrected), "--resume", "--soft", "--overlays"]
    assert cli.run([*line, *more]) == 0
    assert "corrected: 2 masks, tags of 3 images, 1 images left out" in capsys.readouterr().out
    rows = {
        row["name"]: row
        for row in map(json.loads, (out / "manifest.jsonl").read_text().splitlines())
    }
    assert "train_2" not in rows
    assert rows["train_1"]["tags"] == ["dog"]
    for name in ("train_0", "train_5"):
        mask = read_mask(out / "masks" / f"{name}.png")
        np.testing.assert_array_equal(mask, read_mask(corrected / "masks" / f"{name}.png"))
        assert rows[name]["confidence"] == 1
        assert rows[name]["corrected"]
    assert rows["train_0"]["tags"] == ["bird", "dog"]
    with np.load(out / "soft" / "train_0.npz") as soft:
        assert soft["maps"].shape == (2, 3, 3)
        assert soft["maps"][0, 1, 0] == 207  # its share of the cell
    assert (out / "overlays" / "train_0.png").is_file()
    assert json.loads((out / "label.json").read_text())["corrected"]["masks"] == 2
    stamps = {path: path.stat().st_mtime_ns for path in (out / "masks").iterdir()}
    assert stamps[out / "masks" / "train_3.png"] > before  # its overlay was missing
    assert cli.run([*line, *more]) == 0
    assert {path: path.stat().st_mtime_ns for path in (out / "masks").iterdir()} == stamps


def test_corrections_in_the_folder_are_not_deleted(tmp_path, changes, voc_world, capsys):
    out = tmp_path / "run"
    assert train(out, *changes[:-1], "train.steps=1") == 0
    own = write_corrections(out / "corrected", voc_world)
    given = [*changes[:-1], f"data.corrected={own}", "train.steps=1", "--overwrite"]
    assert train(out, *given) == 2
    assert str(own) in capsys.readouterr().err
    assert (own / "masks" / "train_0.png").is_file()


def test_check_counts_what_training_reads(changes, capsys):
    given = [each for each in changes if each.startswith("data.")]
    assert cli.run(["check", "--config", "voc", *given]) in (0, 1)
    told = capsys.readouterr().out
    assert "corrected: 2 masks" in told
