"""`weclip label` with other methods: their parts are used, recorded, and not mixed."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.end_to_end import worlds

from weclip.cli import app as cli


@pytest.fixture(scope="module")
def line(voc_world: Path, clip_file: Path) -> list[str]:
    data = [f"data.root={voc_world}", "data.tags_file=tags.csv", "data.train_split=train"]
    return ["label", "--config", "voc", *data, f"clip.weights={clip_file}"]


@pytest.fixture(scope="module")
def trained(voc_world: Path, clip_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of `weclip train` on the same classes."""
    out = tmp_path_factory.mktemp("trained") / "run"
    assert worlds.train(out, *worlds.voc_changes(voc_world, clip_file)) == 0
    return out


def masks(out: Path) -> np.ndarray:
    """All masks, one after another."""
    return np.concatenate([np.asarray(Image.open(p)).ravel() for p in sorted(out.rglob("*.png"))])


def recipe(out: Path) -> dict:
    return json.loads((out / "label.json").read_text())


def test_methods_differ_and_are_recorded(line, tmp_path):
    found = {}
    for method, parts in (
        (None, "gradcam, attention"),
        ("clip-es", "gradcam, attention"),
        ("excel", "patch_text, attention"),
        ("cd-clip", "gradcam, class_distribution"),
    ):
        out = tmp_path / str(method)
        flag = [] if method is None else ["--method", method]
        assert cli.run([*line, "--out", str(out), *flag]) == 0
        assert recipe(out)["method"] == parts
        found[method] = masks(out)
    assert np.array_equal(found[None], found["clip-es"])
    for one, other in (("clip-es", "excel"), ("clip-es", "cd-clip"), ("excel", "cd-clip")):
        assert (found[one] != found[other]).any()


def test_a_change_is_stronger_than_the_method(line, tmp_path):
    out = tmp_path / "out"
    changes = ["--method", "excel", "affinity.source=none", "cam.patch_text.self_self_blocks=1"]
    assert cli.run([*line, "--out", str(out), *changes]) == 0
    assert recipe(out)["method"] == "patch_text, none"
    assert recipe(out)["config"]["cam.patch_text.self_self_blocks"] == 1
    assert recipe(out)["config"]["affinity.attention.box_threshold"] == 0.79


def test_a_folder_is_of_one_method(line, tmp_path, capsys):
    out = tmp_path / "out"
    assert cli.run([*line, "--out", str(out)]) == 0
    assert cli.run([*line, "--out", str(out), "--resume", "--method", "cd-clip"]) == 2
    said = capsys.readouterr().err
    assert "affinity.source was attention, now class_distribution" in said


def test_a_trained_decoder_refines(line, trained, tmp_path, capsys):
    plain, refined = tmp_path / "plain", tmp_path / "refined"
    assert cli.run([*line, "--out", str(plain)]) == 0
    assert cli.run([*line, "--out", str(refined), f"label.model={trained}"]) == 0
    assert (masks(plain) != masks(refined)).any()
    assert len(recipe(refined)["files"]["label.model"]) == 64
    assert recipe(plain)["files"]["label.model"] is None
    moved = tmp_path / "moved.safetensors"
    moved.write_bytes((trained / "model.safetensors").read_bytes())
    again = [*line, "--out", str(refined), "--resume"]
    assert cli.run([*again, f"label.model={moved}"]) == 0  # the file counts, not its place
    assert cli.run(again) == 2
    assert "label.model was" in capsys.readouterr().err


def test_descriptions_are_part_of_the_recipe(line, tmp_path, capsys):
    text, out = tmp_path / "birds.txt", tmp_path / "out"
    text.write_text("bird: a thing with feathers\ncat: a thing with whiskers\n")
    again = [*line, "--out", str(out), f"clip.descriptions={text}", "--resume"]
    assert cli.run(again) == 0  # starts
    assert cli.run(again) == 0
    text.write_text("bird: a thing with wings\n")
    assert cli.run(again) == 2
    assert "clip.descriptions was" in capsys.readouterr().err
