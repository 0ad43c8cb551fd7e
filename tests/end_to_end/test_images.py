"""The limit on pixels reaches every command, and what Pillow warns about reaches no terminal."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.end_to_end import worlds

import weclip
from weclip.cli import app as cli
from weclip.system.errors import InputError

SIZE = worlds.SIZE
FEWER = f"data.max_pixels={SIZE**2 - 1}"
TOO_LARGE = f"too large: {SIZE} x {SIZE} = {SIZE**2} pixels, more than {FEWER} allows; raise"
DAMAGED_EXIF = b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x05\x00"


def check_arguments(root: Path) -> list[str]:
    data = (f"data.root={root}", "data.tags_file=tags.csv", "data.train_split=train")
    return ["check", "--config", "voc", *data]


def test_every_command_obeys_the_limit(voc_world, clip_file, run_folder, tmp_path, capsys):
    photo = voc_world / "JPEGImages" / "val_8.png"
    model = ["--model", str(run_folder)]
    out = ["--out", str(tmp_path / "out")]
    train = ["train", "--config", "voc", *worlds.voc_changes(voc_world, clip_file)]
    commands = (
        [*train, *out, FEWER],
        [*train, "--out", str(tmp_path / "cached"), FEWER, f"data.decoded_cache={tmp_path / 'c'}"],
        ["evaluate", *model, "--out", str(tmp_path / "e"), f"data.root={voc_world}", FEWER],
        ["predict", *model, "--out", str(tmp_path / "p"), str(photo), FEWER],
    )
    for command in commands:
        capsys.readouterr()
        assert cli.run(command) == 2
        said = capsys.readouterr().err
        assert TOO_LARGE in said
        assert said.count("\n") == 1
    assert cli.run([*check_arguments(voc_world), FEWER]) == 2
    assert re.search(r"error \(11\): images that cannot be read", capsys.readouterr().out)


def test_the_limit_can_be_raised_in_python(run_folder, voc_world, monkeypatch):
    photo = voc_world / "JPEGImages" / "val_8.png"
    with pytest.raises(InputError, match=TOO_LARGE):
        weclip.load(run_folder, overrides=[FEWER]).predict(photo)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    model = weclip.load(run_folder, overrides=[f"data.max_pixels={SIZE**2}"])
    assert model.predict(photo).label_map.shape == (SIZE, SIZE)
    assert Image.MAX_IMAGE_PIXELS == 10


def test_a_raised_limit_does_not_stop_a_resumed_run(run_folder, voc_world, clip_file, tmp_path):
    changes = worlds.voc_changes(voc_world, clip_file)
    assert worlds.train(tmp_path / "run", *changes) == 0
    assert worlds.train(tmp_path / "run", *changes, "data.max_pixels=400000000", "--resume") == 0


def test_what_pillow_warns_about_is_told_by_check_only(run_folder, clip_file, tmp_path):
    root = worlds.write_voc(tmp_path / "VOC2012")
    photos = sorted((root / "JPEGImages").glob("*.png"))
    for path in photos:
        with Image.open(path) as image:
            pixels = np.array(image)
        Image.fromarray(pixels).save(path, exif=DAMAGED_EXIF)
    predict = ["predict", "--model", run_folder, "--out", tmp_path / "p", root / "JPEGImages"]
    small = [*worlds.voc_changes(root, clip_file), "data.workers=1", "train.steps=1"]
    record = tmp_path / "check.json"
    for arguments in (
        predict,
        ["train", "--config", "voc", "--out", tmp_path / "run", *small],
        [*check_arguments(root), "--json", record],
    ):
        command = [sys.executable, "-m", "weclip", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert "Corrupt EXIF" not in done.stderr
        assert done.stderr == ""
    found = {each["kind"]: each for each in json.loads(record.read_text())["findings"]}
    assert found["complaints"]["severity"] == "information"
    assert found["complaints"]["count"] == len(photos)
    assert "train_0: Corrupt EXIF data." in found["complaints"]["examples"][0]
