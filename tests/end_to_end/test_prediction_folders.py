"""What a folder of predictions says of itself; changes, and files that look like changes."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from tests.end_to_end import worlds

import weclip
from weclip.cli import app as cli
from weclip.system.files import sha256_of


@pytest.fixture
def photos(tmp_path, voc_world):
    """Two images of different sizes, one in a folder."""
    root = tmp_path / "photos"
    (root / "sub").mkdir(parents=True)
    image = sorted((voc_world / "JPEGImages").iterdir())[0]
    shutil.copy(image, root / "a.jpg")
    Image.open(image).resize((50, 30)).save(root / "sub" / "b.png")
    return root


def predict(run, out, *arguments):
    return cli.run(["predict", *map(str, arguments), "--model", str(run), "--out", str(out)])


def test_a_folder_says_what_its_masks_mean_and_were_made_with(tmp_path, photos, run_folder, capsys):
    out = tmp_path / "out"
    assert predict(run_folder, out, photos, "eval.scales=[1.0,0.75]", "--device", "cpu") == 0
    legend = json.loads((out / "legend.json").read_text())["classes"]
    names = weclip.load(run_folder).class_names
    assert [(each["id"], each["name"]) for each in legend] == list(enumerate(names))
    mask = Image.open(out / "masks" / "sub" / "b.png")
    for each in legend:
        rgb = mask.getpalette()[3 * each["id"] : 3 * each["id"] + 3]
        assert each["rgb"] == rgb
        assert each["colour"] == "#" + bytes(rgb).hex().upper()
    run = json.loads((out / "run.json").read_text())
    model = run_folder / "model.safetensors"
    assert run["model"] == {"path": str(model.absolute()), "sha256": sha256_of(model)}
    assert run["clip"].keys() == {"name", "sha256"}
    assert run["settings"]["scales"] == [1.0, 0.75]
    assert run["settings"]["device"] == "cpu"
    assert {"flip", "long_side", "crf"} < run["settings"].keys()
    assert "torch" in run["versions"]


def test_confidence_is_made_up_where_it_is_missing_or_old(tmp_path, photos, run_folder):
    out, model = tmp_path / "out", weclip.load(run_folder)
    assert predict(run_folder, out, photos) == 0
    assert not (out / "confidence").exists()
    assert predict(run_folder, out, photos, "--confidence", "--resume") == 0
    with Image.open(out / "confidence" / "sub" / "b.png") as image:
        assert (image.mode, image.size) == ("L", (50, 30))
        found = np.asarray(image)
    pixels = np.asarray(Image.open(photos / "sub" / "b.png").convert("RGB"))
    expected = model.predictor.probabilities(pixels).max(0)
    assert np.abs(found / 255 - expected).max() <= 0.51 / 255
    whole = worlds.folder_content(out)
    Image.new("RGB", (20, 20)).save(photos / "sub" / "b.png")
    assert predict(run_folder, out, photos, "--resume") == 0  # the mask alone
    assert predict(run_folder, out, photos, "--confidence", "--resume") == 0
    assert Image.open(out / "confidence" / "sub" / "b.png").size == (20, 20)
    assert worlds.folder_content(out)["confidence/a.png"] == whole["confidence/a.png"]


def test_plain_ids_are_those_of_the_palette(tmp_path, photos, run_folder):
    for name, option in (("grey", ["--ids"]), ("colours", [])):
        assert predict(run_folder, tmp_path / name, photos, *option) == 0
    grey, colours = (Image.open(tmp_path / n / "masks" / "a.png") for n in ("grey", "colours"))
    assert (grey.mode, colours.mode) == ("L", "P")
    assert np.array_equal(np.asarray(grey), np.asarray(colours))


def test_fast_is_one_scale_without_flip_and_tells_its_price(tmp_path, photos, run_folder, capsys):
    out = tmp_path / "out"
    assert predict(run_folder, out, photos, "--fast", "--quiet") == 0
    assert capsys.readouterr() == ("", "")
    settings = json.loads((out / "run.json").read_text())["settings"]
    assert (settings["scales"], settings["flip"]) == ([1.0], False)
    assert predict(run_folder, out, photos, "--fast", "--overwrite") == 0
    assert "fast: one scale, no flip; on the demo" in capsys.readouterr().out


def test_a_file_that_looks_like_a_change_is_a_file(tmp_path, photos, run_folder, monkeypatch):
    monkeypatch.chdir(photos)
    shutil.copy("a.jpg", "eval.crf=true.jpg")
    assert predict(run_folder.absolute(), tmp_path / "out", "eval.crf=true.jpg", "a.jpg") == 0
    made = worlds.folder_content(tmp_path / "out" / "masks")
    assert made.keys() == {"a.png", "eval.crf=true.png"}


def test_data_beside_a_model_are_its_data_root(tmp_path, voc_world, run_folder, capsys):
    moved = shutil.copytree(voc_world, tmp_path / "moved")
    line = ["evaluate", str(moved), "--model", str(run_folder), "--out", str(tmp_path / "scores")]
    assert cli.run(line) == 0
    (tmp_path / "scores" / "evaluation.json").unlink()
    assert cli.run([*line[:1], str(tmp_path / "gone"), *line[2:], "--overwrite"]) == 2
    assert "gone" in capsys.readouterr().err


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_said_before_anything(tmp_path, photos, run_folder, capsys):
    assert predict(run_folder, tmp_path / "out", photos, "--device", "cuda:1") == 2
    line = "--device cuda:1: not a device that PyTorch can use here; known: cpu\n"
    assert capsys.readouterr().err.endswith(line)
    assert not (tmp_path / "out").exists()


def test_a_report_of_predictions(tmp_path, photos, run_folder):
    out = tmp_path / "out"
    assert predict(run_folder, out, photos, "--report", "--confidence", "eval.flip=true") == 0
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "b.png" in page
    assert "eval.flip=true" in page
    assert "--confidence --report" in page
    assert (out / "scenes.csv").read_text().count("\n") == 3
    assert predict(run_folder, tmp_path / "other", photos) == 0
    assert not (tmp_path / "other" / "report.html").exists()
