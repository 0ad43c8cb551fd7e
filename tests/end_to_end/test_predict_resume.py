"""`predict` goes on where it ended, and leaves out what cannot be read."""

import json
import os
import shutil
from unittest import mock

import numpy as np
import pytest
from PIL import Image
from tests.end_to_end import worlds

from weclip.cli import app as cli
from weclip.system.errors import InputError


@pytest.fixture
def photos(tmp_path):
    root = tmp_path / "photos"
    (root / "sub").mkdir(parents=True)
    noise = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    for name in ("a.png", "b.jpg", "sub/c.png"):
        Image.fromarray(noise).save(root / name)
    return root


def predict(run, out, *arguments):
    return cli.run(["predict", "--model", str(run), "--out", str(out), *map(str, arguments)])


def test_broken_images_are_left_out_counted_and_named(tmp_path, photos, run_folder, capsys):
    (photos / "b.jpg").write_bytes((photos / "b.jpg").read_bytes()[:200])
    (photos / "d.png").write_text("<html>")
    assert predict(run_folder, tmp_path / "out", photos) == 1
    shown = capsys.readouterr().out
    assert f"2 label maps in {tmp_path / 'out' / 'masks'}" in shown
    assert f"2 images are left out: {photos / 'b.jpg'}: image cannot be read (" in shown
    assert f"skipped: {photos / 'd.png'}: image cannot be read (no known image format)" in shown
    assert worlds.folder_content(tmp_path / "out" / "masks").keys() == {"a.png", "sub/c.png"}


def test_an_image_that_memory_cannot_hold_is_left_out_and_named(
    tmp_path, photos, run_folder, monkeypatch, capsys
):
    Image.new("RGB", (300, 200)).save(photos / "b.jpg")
    monkeypatch.setattr("weclip.inference.predictor.LOOK_FROM", 100 * 100)
    monkeypatch.setattr("weclip.inference.large.tiles.free_memory", lambda: 1000)
    keys = ("eval.long_side=null", "--report")
    assert predict(run_folder, tmp_path / "out", photos, *keys) == 1
    shown = capsys.readouterr().out
    assert f"1 image is left out: {photos / 'b.jpg'}: out of memory: 300 x 200 pixels" in shown
    assert worlds.folder_content(tmp_path / "out" / "masks").keys() == {"a.png", "sub/c.png"}
    assert (tmp_path / "out" / "report.html").exists()
    assert predict(run_folder, tmp_path / "out", photos, *keys, "eval.tile=64", "--resume") == 2
    assert predict(run_folder, tmp_path / "two", photos, keys[0], "eval.tile=64") == 0


def test_nothing_that_can_be_read_is_an_error(tmp_path, photos, run_folder, capsys):
    for path in photos.rglob("*.*g"):
        path.write_text("<html>")
    assert predict(run_folder, tmp_path / "out", photos) == 2
    line = capsys.readouterr().err
    assert line.startswith(f"weclip: error: {photos}")
    assert line.endswith("(no known image format); nor can the other 2 be used\n")


def test_resume_does_only_what_is_missing(tmp_path, photos, run_folder, capsys):
    out = tmp_path / "out"
    assert predict(run_folder, out, photos, "--overlays", "--resume") == 0  # starts it, too
    whole = worlds.folder_content(out)
    assert "overlays/sub/c.png" in whole
    (out / "masks" / "a.png").unlink()
    (out / "overlays" / "b.png").unlink()
    (out / "masks" / ".x.1-2.tmp").touch()
    kept = out / "masks" / "sub" / "c.png"
    before = kept.stat().st_mtime_ns
    assert predict(run_folder, out, photos, "--overlays", "--resume") == 0
    assert worlds.folder_content(out) == whole
    assert kept.stat().st_mtime_ns == before
    assert f"3 label maps in {out / 'masks'}" in capsys.readouterr().out


@pytest.mark.parametrize("since", [1e9, 2e9])
def test_an_image_that_was_replaced_is_done_again(tmp_path, photos, run_folder, since):
    """By an older file too; one that was only touched is not."""
    out = tmp_path / "out"
    assert predict(run_folder, out, photos) == 0
    kept = (out / "masks" / "b.png").stat()
    Image.new("RGB", (50, 40)).save(photos / "a.png")
    for name in ("a.png", "b.jpg"):
        os.utime(photos / name, (since, since))
    assert predict(run_folder, out, photos, "--resume") == 0
    assert Image.open(out / "masks" / "a.png").size == (50, 40)
    assert (out / "masks" / "b.png").stat().st_mtime_ns == kept.st_mtime_ns


def test_a_mask_of_somebody_else_is_done_again(tmp_path, photos, run_folder):
    out = tmp_path / "out"
    assert predict(run_folder, out, photos) == 0
    whole = worlds.folder_content(out)
    Image.new("L", (30, 20)).save(out / "masks" / "a.png")
    (out / "masks" / "b.png").write_bytes(b"")
    assert predict(run_folder, out, photos, "--resume") == 0
    assert worlds.folder_content(out) == whole


def test_what_a_broken_image_says_is_shown_escaped(tmp_path, photos, run_folder, capsys):
    with mock.patch(
        "weclip.tasks.prediction_images.as_rgb", side_effect=[InputError("a\x1b[2J\n")] * 3
    ):
        assert predict(run_folder, tmp_path / "out", photos) == 2
    assert "skipped: a\\x1b[2J\\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--resume", "eval.flip=true"], "made with another eval; give the same"),
        (["--resume", "--ids"], "made with another palette; give the same"),
        (["--resume", "--overwrite"], "--resume and --overwrite contradict each other"),
        ([], "is not empty; choose another folder or add --overwrite"),
    ],
)
def test_what_would_mix_is_refused(tmp_path, photos, run_folder, capsys, arguments, line):
    out = tmp_path / "out"
    assert predict(run_folder, out, photos) == 0
    before = worlds.folder_content(out)
    assert predict(run_folder, out, photos, *arguments) == 2
    assert line in capsys.readouterr().err
    assert worlds.folder_content(out) == before


@pytest.mark.parametrize("content", ["{", "[]", '{"model": 3}'])
def test_a_damaged_recipe_is_one_line(tmp_path, photos, run_folder, capsys, content):
    out = tmp_path / "out"
    assert predict(run_folder, out, photos) == 0
    (out / "predict.json").write_text(content)
    assert predict(run_folder, out, photos, "--resume") == 2
    assert "choose another --out" in capsys.readouterr().err


def test_killed_before_the_first_mask_it_goes_on(tmp_path, photos, run_folder):
    """After the first, or the first two, of what a folder says of itself."""
    whole = tmp_path / "whole"
    assert predict(run_folder, whole, photos) == 0
    for count in (1, 2):
        out = tmp_path / f"out{count}"
        out.mkdir()
        for name in ("run.json", "legend.json")[:count]:
            shutil.copy(whole / name, out / name)
        assert predict(run_folder, out, photos, "--resume") == 0
        assert worlds.folder_content(out) == worlds.folder_content(whole)


def test_another_model_is_refused(tmp_path, photos, run_folder, voc_world, clip_file, capsys):
    out, other = tmp_path / "out", tmp_path / "other"
    assert predict(run_folder, out, photos) == 0
    changes = [*worlds.voc_changes(voc_world, clip_file), "train.seed=1", "train.steps=1"]
    assert worlds.train(other, *changes) == 0
    assert predict(other, out, photos, "--resume") == 2
    assert "label maps that were made with another model; give" in capsys.readouterr().err


def test_names_of_all_lengths_that_the_disk_allows(tmp_path, photos, run_folder):
    """That is 255 bytes."""
    names = ["x" * 251 + ".png", "é" * 125 + ".png"]
    for name in names:
        shutil.copy(photos / "a.png", photos / name)
    assert predict(run_folder, tmp_path / "out", photos) == 0
    assert set(names) <= worlds.folder_content(tmp_path / "out" / "masks").keys()
    recipe = json.loads((tmp_path / "out" / "predict.json").read_text())
    assert recipe.keys() == {"model", "backbones", "eval", "data", "palette"}
