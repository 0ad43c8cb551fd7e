"""How a CLIP computes is part of what a run was made with, and what is assumed of it is said."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.end_to_end import worlds

import weclip
from weclip.cli import app as cli
from weclip.system.errors import InputError


@pytest.fixture
def published(clip_file: Path, tmp_path: Path) -> Path:
    """A CLIP of exact GELU, as its configuration says."""
    folder = tmp_path / "clip"
    folder.mkdir()
    shutil.copy(clip_file, folder / "open_clip_model.safetensors")
    tower = {"layers": 3, "width": 64, "patch_size": 8, "image_size": 48}
    text = {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 1, "layers": 1}
    content = {"model_cfg": {"embed_dim": 16, "vision_cfg": tower, "text_cfg": text}}
    (folder / "open_clip_config.json").write_text(json.dumps(content))
    return folder / "open_clip_model.safetensors"


def test_what_is_assumed_is_said(clip_file, voc_world, tmp_path, capsys):
    data = worlds.voc_changes(voc_world, clip_file)
    assert worlds.train(tmp_path / "run", *data) == 0
    assert "clip.activation" in " ".join(capsys.readouterr().out.split())
    assert worlds.train(tmp_path / "two", *data, "clip.activation=quick_gelu") == 0
    assert "is assumed" not in capsys.readouterr().out


def test_a_configuration_that_is_lost_is_noticed(published, voc_world, tmp_path, capsys):
    data, run = worlds.voc_changes(voc_world, published), tmp_path / "run"
    assert worlds.train(run, *data) == 0
    assert "clip.activation" not in capsys.readouterr().out
    image = next((voc_world / "JPEGImages").iterdir())
    before = weclip.load(run).predict(image)
    (published.parent / "open_clip_config.json").unlink()
    with pytest.raises(
        InputError, match=r"was trained with .* as \(image gelu, .* now; put its configuration back"
    ):
        weclip.load(run)
    assert worlds.train(run, *data, "--resume") == 2
    assert "the CLIP's computations are others" in capsys.readouterr().err
    again = weclip.load(run, overrides=["clip.activation=gelu"])
    assert np.array_equal(again.predict(image), before)
    line = ["predict", "--model", str(run), str(image), "--out", str(tmp_path / "masks")]
    assert cli.run(line) == 2
    assert cli.run([*line, "clip.activation=gelu"]) == 0
