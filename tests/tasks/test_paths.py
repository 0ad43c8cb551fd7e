"""`~` is a home everywhere, a model loads from any folder, and a wrong file gets a hint."""

import shutil
from dataclasses import fields, is_dataclass

import numpy as np
import pytest
import typer
from PIL import Image
from tests.end_to_end import worlds
from tests.end_to_end.conftest import clip_file, run_folder, voc_world

import weclip
from weclip.cli import app as cli
from weclip.cli.options import at_home_in
from weclip.config import Config
from weclip.config_file import PATHS, from_yaml, load_config, with_whole_paths, without_places
from weclip.data.dataset import open_dataset
from weclip.data.layouts.dataset_yaml import describe
from weclip.plugins import load_plugins
from weclip.system.errors import InputError
from weclip.tasks.evaluate.mask_folders import named_folders
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
        ("--out=~", "--out={home}"),
        ("~", "{home}"),
        ("~no-such-user/a", "~no-such-user/a"),
        ("data.eval_split=~", "data.eval_split=~"),
        ("a~/b", "a~/b"),
        ("--out=a~", "--out=a~"),
    ],
)
def test_arguments(home, given, read):
    assert at_home_in(given).endswith(read.format(home=home))


def all_parameters():
    """Every option and argument with a value, of every command."""
    commands = typer.main.get_command(cli.app).commands
    return [
        pytest.param(command, each, id=f"{name} {each.name}")
        for name, command in commands.items()
        for each in command.params
        if not getattr(each, "is_flag", False) and each.name not in ("seed", "port")  # numbers
    ]


@pytest.mark.parametrize("path", ["~", "~/a", "~/a b/*.jpg"])
@pytest.mark.parametrize(("command", "parameter"), all_parameters())
def test_no_parameter_begins_with_a_tilde(home, command, parameter, path):
    """Each way to give it: `--out ~/a` and `--out=~/a`, and `~/a` alone."""
    option = next((text for text in parameter.opts if text.startswith("--")), None)
    for given in [[option, path], [f"{option}={path}"]] if option else [[path]]:
        arguments = [at_home_in(text) for text in given]
        context = command.make_context("x", arguments, resilient_parsing=True)
        found = [
            str(value)
            for given in context.params.values()
            for value in (given if isinstance(given, list | tuple) else [given])
            if str(home) in str(value)
        ]
        assert found == [path.replace("~", str(home))]


NO_PATHS = set(
    """
    data.format data.tags_control data.untagged data.train_split data.eval_split clip.activation
    clip.prompt_template cam.source affinity.source method.name train.precision train.best_metric
    tags.threshold clip.sha256 dino.sha256 mit.sha256 train.tracker eval.scale_merge label.precision
    tags.precision eval.precision regions.source windows.guide cam.embedding
    """.split()
)
"""Texts of the configuration that are names and words."""


def test_every_text_of_the_configuration_is_known_to_be_a_path_or_none():
    texts = {
        f"{section.name}.{key.name}"
        for section in fields(Config)
        if is_dataclass(section.type)
        for key in fields(section.type)
        if key.type in (str, str | None)
    }
    assert texts == NO_PATHS | {".".join(key) for key in PATHS}


@pytest.mark.parametrize("key", [".".join(key) for key in PATHS])
def test_keys(home, key):
    needed = ["data.root=x", "clip.weights=y"]
    section, name = key.split(".")
    for given in ("~/a", "'~/a'", '"~/a"'):
        config = load_config("voc", [*needed, f"{key}={given}"])
        assert getattr(getattr(config, section), name) == f"{home}/a"


def test_a_configuration_a_plugin_and_masks(home):
    (home / "own.yaml").write_text("data: {root: ~/photos}\nclip: {weights: ~/clip.pt}\n")
    config = load_config("~/own.yaml")
    assert (config.data.root, config.clip.weights) == (f"{home}/photos", f"{home}/clip.pt")
    assert named_folders(["~/one", "my masks=~/two"]) == {
        "one": home / "one",
        "my masks": home / "two",
    }
    with pytest.raises(InputError, match=f"{home}/own.py: no such file"):
        load_plugins(["~/own.py"])


def test_paths_in_a_dataset_yaml(home, tmp_path):
    for name in ("pictures", "drawn"):
        (home / name).mkdir()
    Image.new("RGB", (20, 20)).save(home / "pictures" / "1.png")
    (home / "tags.csv").write_text("image,tags\n1.png,cat\n")
    (home / "classes.yaml").write_text("classes: [cat, dog]\n")
    keys = {"images": "pictures", "tags": "tags.csv", "classes": "classes.yaml", "masks": "drawn"}
    file = tmp_path / "dataset.yaml"
    file.write_text("".join(f"{key}: ~/{name}\n" for key, name in keys.items()))
    place = describe(file)
    assert [place.images, place.tags, place.classes, place.masks] == [
        home / "pictures",
        home / "tags.csv",
        f"{home}/classes.yaml",
        home / "drawn",
    ]
    dataset = open_dataset("folder", file)
    assert dataset.classes.names == ("cat", "dog")
    assert [image.path for image in dataset.read_split("train")] == [home / "pictures" / "1.png"]


def test_a_run_at_home(home, voc_world, clip_file, capsys, monkeypatch):
    shutil.copy(clip_file, home / "clip.safetensors")
    shutil.copytree(voc_world, home / "voc")
    changes = worlds.voc_changes("~/voc", "~/clip.safetensors")
    monkeypatch.chdir(home)
    assert cli.run(["train", "--config", "voc", "--out=~/run", *changes]) == 0
    assert not (home / "~").exists()
    assert f"model: {home}/run/model.safetensors" in capsys.readouterr().out
    images = np.zeros((20, 30, 3), np.uint8)
    assert weclip.load("~/run").predict(images).label_map.shape == (20, 30)


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


def test_paths_of_parts_become_whole_ones_and_are_hidden_from_others(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sam2").mkdir()
    given = ["regions.sam2.weights=sam2", f"method.retrieval.masks={tmp_path / 'masks'}"]
    config = load_config("voc", ["data.root=voc", "clip.weights=demo", *given])
    assert with_whole_paths(config).regions.sam2.weights == str(tmp_path / "sam2")
    hidden = without_places(with_whole_paths(config))
    assert (hidden.regions.sam2.weights, hidden.method.retrieval.masks) == ("sam2", "masks")


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
