"""Reports that commands leave: of trainings with and without masks, of labels, of predictions."""

import csv
import os
import re
import shlex
import signal
from pathlib import Path

import numpy as np
import pytest
from tests.end_to_end import worlds
from tests.inference.report.test_page import Balance

from weclip.cli import app as cli
from weclip.config_file import flatten, load_config, to_yaml
from weclip.data.batch import TaggedImage
from weclip.data.classes import load_classes
from weclip.data.masks.mask_files import read_mask, save_mask
from weclip.tasks.load.opening import ModelAt
from weclip.tasks.report import looked
from weclip.tasks.report.prediction import write_prediction_report
from weclip.tasks.report.repeat import predict_command, repeat_command, suspects_command
from weclip.tasks.train.report import looking_side


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A small VOC folder, a tiny random CLIP, and the changes that train on them."""
    folder = tmp_path_factory.mktemp("world")
    root, clip = (
        worlds.write_voc(folder / "VOC 2012"),
        worlds.write_clip(folder / "clip.safetensors"),
    )
    return root, worlds.voc_changes(root, clip)


@pytest.fixture(scope="module")
def run(world, tmp_path_factory):
    """A finished run with masks to score on; do not change it."""
    out = tmp_path_factory.mktemp("runs") / "run"
    assert worlds.train(out, *world[1]) == 0
    return out


def page(out):
    text = (out / "report.html").read_text(encoding="utf-8")
    parser = Balance()
    parser.feed(text)
    assert parser.open == []
    return re.sub(r"base64,[^\"]*", "", text)


def rows(out):
    with (out / "scenes.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def command_in(text):
    """The command that the page says repeats it."""
    line = re.search(r'id="repeat">.*?<code>(.*?)</code>', text, re.DOTALL)[1]
    return shlex.split(line.replace("&#x27;", "'").replace("&quot;", '"'))


def test_a_training_with_masks(run, world):
    text = page(run)
    for said in ("8 images in train", "3 images in val", "8 of 8 images", "3 of 3 images"):
        assert said in text
    for part in ("training", "classes", "confusion", "scenes", "repeat"):
        assert f'<section id="{part}">' in text
    assert text.count('<article class="scene">') == len(rows(run)) == 11
    assert [row["split"] for row in rows(run)] == ["train"] * 8 + ["val"] * 3
    assert all(row["miou"] for row in rows(run)[8:])
    doubts = [float(row["doubt"]) for row in rows(run)[:8]]
    assert doubts == sorted(doubts, reverse=True)
    assert doubts[0] >= 1  # the random CLIP has taught nothing


def test_training_images_are_looked_at_as_large_as_crops_and_that_is_said(world, tmp_path, capsys):
    sizes = ("data.crop_size=32", "eval.long_side=48")
    assert worlds.train(tmp_path / "run", *world[1], *sizes) == 0
    text = page(tmp_path / "run")
    assert "8 of 8 images, at a long side of 32 pixels. Most doubtful" in text
    assert "3 of 3 images of val, at one scale, a long side of 48 pixels, in float32." in text
    said = capsys.readouterr().out
    assert re.search(r"report: train .*8/8", said)
    assert re.search(r"report: val .*3/3", said)
    for evaluated, expected in (("32", 32), ("null", 48)):
        changes = [*world[1], "data.crop_size=48", f"eval.long_side={evaluated}"]
        assert looking_side(load_config("voc", changes)) == expected


def test_the_command_in_the_page_makes_the_same_configuration(run, world):
    words = command_in(page(run))
    assert words[:2] == ["weclip", "train"]
    assert words[-2:] == ["--out", str(run)]
    changes = [word for word in words[4:] if re.match(r"\w+(\.\w+)+=", word)]
    again = load_config(words[3], changes)
    assert to_yaml(again) == (run / "config.yaml").read_text(encoding="utf-8")


def test_values_of_all_kinds_are_quoted():
    changes = [
        'data.root=it\'s "mine" #1',
        'clip.weights="null"',
        "data.eval_split=~",
        "eval.scales=[1.0,0.5]",
        "data.tags_file=1e5",
    ]
    config = load_config("folder", changes)
    line = repeat_command("train", flatten(to_yaml(config)), Path("a b"))
    words = shlex.split(line)
    assert words[3] == "folder"
    assert to_yaml(load_config(words[3], words[4:-2])) == to_yaml(config)


def test_a_prediction_is_repeated_with_its_plugins():
    model = ModelAt("runs/a", overrides=[{"eval.crf": True}], plugins=["my parts.py"])
    line = predict_command(model, ["a b.jpg"], Path("out"), ["--ids"])
    assert line == (
        "weclip predict 'a b.jpg' eval.crf=true --model runs/a --plugin 'my parts.py' --out out "
        "--ids"
    )


def test_a_report_is_made_again_only_where_it_is_missing(run, world, capsys):
    before = (run / "report.html").read_bytes()
    (run / "report.html").write_text("kept")
    assert worlds.train(run, *world[1], "--resume") == 0
    assert (run / "report.html").read_text() == "kept"
    (run / "report.html").unlink()
    assert worlds.train(run, *world[1], "--resume") == 0
    assert (run / "report.html").read_bytes() == before


def test_a_training_without_masks_has_no_score(world, tmp_path):
    _root, changes = world
    assert worlds.train(tmp_path / "run", *changes, "data.eval_split=null") == 0
    text = page(tmp_path / "run")
    assert "no masks to score on" in text
    assert "Draw a few masks to score on" in text
    assert 'id="confusion"' not in text
    assert len(rows(tmp_path / "run")) == 8
    assert not any(row["miou"] for row in rows(tmp_path / "run"))


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("bug")])
def test_a_report_that_fails_costs_nothing(world, tmp_path, monkeypatch, capsys, error):
    def fail(*given):
        raise error

    monkeypatch.setattr("weclip.tasks.train.report.write_overview", fail)
    assert worlds.train(tmp_path / "run", *world[1]) == 0
    assert (tmp_path / "run" / "model.safetensors").is_file()
    said = capsys.readouterr().out
    assert "so there is no report.html" in said
    assert str(error) in said.replace("\n", " ")


def test_a_signal_during_the_report_ends_the_run_as_during_training(
    world, tmp_path, monkeypatch, capsys
):
    given = [tmp_path / "run", *world[1]]
    with monkeypatch.context() as patch:
        patch.setattr(
            "weclip.tasks.train.report.look_at_masked",
            lambda *_, **__: os.kill(os.getpid(), signal.SIGTERM),
        )
        assert worlds.train(*given) == 75
    said = capsys.readouterr().err
    assert said.startswith("weclip: SIGTERM came; the model is saved, report.html is not; the same")
    assert not (tmp_path / "run" / "report.html").exists()
    assert worlds.train(*given, "--resume") == 0
    assert (tmp_path / "run" / "report.html").is_file()


def test_labels(world, tmp_path, capsys):
    _root, changes = world
    data = [
        each for each in changes if each.startswith(("data.root", "data.ta", "data.tr", "clip"))
    ]
    line = ["label", "--config", "voc", *data, "label.confidence=0.6"]
    out = tmp_path / "masks"
    assert cli.run([*line, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert f"report: {out / 'report.html'}" in said.replace("\n", "")
    assert re.search(r"report .*8/8", said)
    text = page(out)
    assert "IoU of each class" in text  # is what masks would give
    assert "mIoU" not in text
    assert {row["image"] for row in rows(out)} == {path.stem for path in out.glob("masks/*.png")}
    assert any(float(row["unsure"]) > 0 for row in rows(out))
    before = (out / "report.html").read_bytes()
    (out / "report.html").unlink()
    assert cli.run([*line, "--out", str(out), "--resume"]) == 0
    assert (out / "report.html").read_bytes() == before


def test_predictions(run, world, tmp_path):
    root, _ = world
    images = sorted((root / "JPEGImages").iterdir())
    names = [str(path) for path in images]
    assert cli.run(["predict", "--model", str(run), "--out", str(tmp_path), *names]) == 0
    jobs = [(path, Path(f"{path.stem}.png")) for path in images]
    for (_, relative), level in zip(jobs, (0, 230, 64), strict=False):
        size = read_mask(tmp_path / "masks" / relative).shape
        save_mask(np.full(size, level, np.uint8), tmp_path / "confidence" / relative)
    (tmp_path / "masks" / jobs[0][1]).unlink()
    write_prediction_report(
        tmp_path,
        jobs,
        load_classes("voc"),
        command="weclip predict ...",
        confidence=tmp_path / "confidence",
    )
    text = page(tmp_path)
    assert text.count("<img ") == 2 * (len(images) - 1)
    assert next(row["image"] for row in rows(tmp_path)) == str(jobs[2][1])
    assert "confidence 25 %" in text
    assert "IoU" not in text


def test_which_images_are_looked_at_depends_on_names_alone():
    images = [TaggedImage(f"image {i}", Path("x"), ()) for i in range(500)]
    first = looked.chosen(images)
    assert len(first) == looked.MOST_LOOKED
    assert first == looked.chosen(images[::-1])
    assert len({image.name for image in first} & {image.name for image in images[:250]}) > 60


def test_looking_ends_in_time():
    ticks = iter(range(0, 1000, 50))
    images = [TaggedImage(str(i), Path("x"), ()) for i in range(9)]
    seen = list(looked.in_time(images, lambda: next(ticks)))
    assert [image.name for image in seen] == ["0", "1", "2"]


def test_the_command_that_lists_doubtful_tags():
    config = load_config("folder", ["data.root=my photos", "clip.weights=a.pt"])
    line = suspects_command(flatten(to_yaml(config)), Path("runs/a"), ())
    changes = ["data.root=my photos", "clip.weights=a.pt"]
    assert [word.replace('"', "") for word in shlex.split(line)] == [
        *("weclip", "check", "--config", "folder", *changes),
        *("--suspects", "runs/a-suspects.csv"),
    ]
