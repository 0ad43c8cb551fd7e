"""`~` is a home everywhere, a model loads from any folder, and a wrong file gets a hint."""

import shutil

import numpy as np
import pytest
from tests.end_to_end import worlds
from tests.end_to_end.conftest import clip_file, run_folder, voc_world

import weclip
from weclip.cli import app as cli
from weclip.cli.options import at_home_in
from weclip.config_file import from_yaml, load_config, with_whole_paths
from weclip.system.errors import InputError
from weclip.training.model_file import read_model_file

__all__ = ["clip_file", "run_folder", "voc_world"]


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("~/run", "{home}/run"),
        ("--out=~/run", "{home}/run"),
        ("clip.weights=~/x y.pt", "{home}/x y.pt"),
        ("name=~/masks", "{home}/masks"),
        ("~", "{home}"),
        ("data.eval_split=~", "data.eval_split=~"),
        ("a~/b", "a~/b"),
        ("--out=a~", "--out=a~"),
    ],
)
def test_arguments(home, given, read):
    assert at_home_in(given).endswith(read.format(home=home))


@pytest.mark.parametrize(
    "key", ["data.root", "clip.weights", "clip.descriptions", "data.decoded_cache", "label.model"]
)
def test_keys(home, key):
    needed = ["data.root=x", "clip.weights=y"]
    config = load_config("voc", [*needed, f"{key}=~/a"])
    section, name = key.split(".")
    assert getattr(getattr(config, section), name) == f"{home}/a"


def test_a_run_at_home(home, voc_world, clip_file, capsys):
    shutil.copy(clip_file, home / "clip.safetensors")
    shutil.copytree(voc_world, home / "voc")
    changes = worlds.voc_changes("~/voc", "~/clip.safetensors")
    assert cli.run(["train", "--config", "voc", "--out=~/run", *changes]) == 0
    assert f"model: {home}/run/model.safetensors" in capsys.readouterr().out
    images = np.zeros((20, 30, 3), np.uint8)
    assert weclip.load("~/run").predict(images).shape == (20, 30)


def test_a_model_loads_from_another_folder(tmp_path, monkeypatch, voc_world, clip_file):
    monkeypatch.chdir(voc_world.parent)
    shutil.copy(clip_file, tmp_path / "clip.safetensors")
    monkeypatch.chdir(tmp_path)
    changes = worlds.voc_changes(voc_world, "clip.safetensors")
    assert worlds.train(tmp_path / "run", *changes) == 0
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    weclip.load(tmp_path / "run")
    stored = from_yaml(read_model_file(tmp_path / "run" / "model.safetensors").config, "x")
    assert stored.clip.weights == str(tmp_path / "clip.safetensors")


def test_only_what_is_a_path_becomes_a_whole_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("voc", "demo", "texts"):
        (tmp_path / name).mkdir()
    config = load_config("voc", ["data.root=voc", "clip.weights=demo", "clip.descriptions=texts"])
    whole = with_whole_paths(config)
    assert (whole.data.classes, whole.clip.weights, whole.data.root) == ("voc", "demo", "voc")
    assert whole.clip.descriptions == str(tmp_path / "texts")
    assert config.clip.descriptions == "texts"


def test_a_checkpoint_is_no_model(run_folder):
    path = run_folder / "checkpoints" / "step-000000004.ckpt"
    with pytest.raises(InputError, match=rf"a checkpoint .* give {run_folder}/model.safetensors"):
        weclip.load(path)


def test_a_run_without_a_model_yet(run_folder, tmp_path):
    shutil.copy(run_folder / "run.json", tmp_path)
    with pytest.raises(InputError, match=r"this training has no model\.safetensors yet; continue"):
        weclip.load(tmp_path)


def test_a_run_is_no_replay(run_folder, capsys):
    assert cli.run(["replay", str(run_folder)]) == 2
    line = capsys.readouterr().err
    assert f"{run_folder}: a folder; there is no replay.ckpt in it" in line


def test_short_help_and_version(capsys):
    assert cli.run(["-h"]) == 0
    assert cli.run(["predict", "-h"]) == 0
    shown = capsys.readouterr().out
    assert "--help" in shown
    assert "<bool>" not in shown
    assert cli.run(["--version"]) == 0
    assert capsys.readouterr().out == f"weclip {weclip.__version__}\n"
