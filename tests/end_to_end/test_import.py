"""`weclip import`: a released checkpoint becomes a model that predicts what its decoder does."""

from pathlib import Path

import numpy as np
import pytest
from tests.end_to_end import worlds

import weclip
from weclip.cli import app as cli


@pytest.fixture
def released(run_folder: Path, tmp_path: Path) -> Path:
    """A checkpoint as the released code writes it, with the weights of a run of ours."""
    return worlds.write_released(run_folder, tmp_path / "WeCLIP_model_iter_30000.pth")


def run_import(released: Path, out: Path, *changes: str) -> int:
    return cli.run(["import", str(released), "--config", "voc", "--out", str(out), *changes])


def test_predicts_as_the_original(released, run_folder, voc_world, clip_file, tmp_path):
    changes = worlds.voc_changes(voc_world, clip_file)
    assert run_import(released, tmp_path / "out", *changes) == 0
    image = next((voc_world / "JPEGImages").iterdir())
    ours, imported = (weclip.load(place).predict(image) for place in (run_folder, tmp_path / "out"))
    assert np.array_equal(ours, imported)


def test_another_configuration_is_refused(released, voc_world, clip_file, tmp_path, capsys):
    changes = [*worlds.voc_changes(voc_world, clip_file), "method.weclip.width=32"]
    assert run_import(released, tmp_path / "out", *changes) == 2
    assert "do not fit the configuration" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
