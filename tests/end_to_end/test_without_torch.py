"""An environment with the base install and onnxruntime: an exported model predicts there.

The environment is real: a Python of its own, in which links to what the base install needs lie, and
nothing else; so PyTorch cannot be imported.
"""

import json
import re
import subprocess
import tomllib
import venv
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from tests.end_to_end.conftest import clip_file, run_folder, voc_world

import weclip
from weclip.tasks.load.opening import ModelAt
from weclip.tasks.share.export import export

__all__ = ["clip_file", "run_folder", "voc_world"]

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def needed(requirements: list[str], seen: set[str]) -> Iterator[metadata.Distribution]:
    """Distributions that requirements need, with what those need; extras are left out."""
    for requirement in requirements:
        found = re.match(r"[\w.-]+", requirement)
        assert found is not None
        name = re.sub(r"[-_.]+", "-", found[0]).lower()
        if name in seen or "extra ==" in requirement:
            continue
        try:
            each = metadata.distribution(name)
        except metadata.PackageNotFoundError:  # for other systems or older Pythons
            continue
        seen.add(name)
        yield each
        yield from needed(each.requires or [], seen)


@pytest.fixture(scope="module")
def python(tmp_path_factory) -> Path:
    """The Python of an environment without PyTorch."""
    folder = tmp_path_factory.mktemp("small")
    venv.create(folder, with_pip=False)
    site = next(folder.glob("lib/python*/site-packages"))
    base = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["onnx"]]
    for each in [*needed(base, set()), metadata.distribution("weclip")]:
        for top in {Path(file).parts[0] for file in each.files or [] if ".." not in file.parts}:
            place = Path(str(each.locate_file(top)))
            if place.exists() and not (site / top).exists() and top != "__pycache__":
                (site / top).symlink_to(place)
    for leftover in site.glob("__editable__*weclip*"):
        leftover.unlink()
    (site / "weclip.pth").write_text(str(ROOT / "src"))
    return folder / "bin" / "python"


@pytest.fixture(scope="module")
def model(run_folder, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    export(ModelAt(run_folder), path)
    return path


def run(python: Path, *arguments: str, code: int = 0) -> str:
    """Standard output of a command, or its error."""
    done = subprocess.run([python, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done.stderr if code else done.stdout


def test_there_is_no_pytorch(python):
    assert "No module named 'torch'" in run(python, "-c", "import torch", code=1)


def test_the_api_predicts_what_the_run_does(python, model, run_folder, voc_world, tmp_path):
    image = sorted((voc_world / "JPEGImages").iterdir())[0]
    code = """
import sys, numpy as np, weclip
found = weclip.load(sys.argv[1]).predict(sys.argv[2])
found.save(sys.argv[3])
found.overlay()
np.savez(sys.argv[4], ids=found.label_map, sure=found.confidence, all=found.probabilities())
print([each.name for each in found.classes], len(found.polygons()))
assert "torch" not in sys.modules
"""
    files = [str(model), str(image), str(tmp_path / "a.png"), str(tmp_path / "a.npz")]
    said = run(python, "-c", code, *files)
    expected = weclip.load(run_folder).predict(image)
    assert said.startswith(str([each.name for each in expected.classes]))
    kept = np.load(tmp_path / "a.npz")
    assert np.array_equal(kept["ids"], expected.label_map)
    np.testing.assert_allclose(kept["sure"], expected.confidence, atol=1e-4)
    np.testing.assert_allclose(kept["all"], expected.probabilities(), atol=1e-4)


def test_the_command_predicts_what_the_run_does(python, model, run_folder, voc_world, tmp_path):
    images = str(voc_world / "JPEGImages")
    line = ["predict", images, "--model", str(model), "--out", str(tmp_path / "out")]
    how = ["--device", "cpu", "--confidence", "--overlays", "--report", "eval.flip=true"]
    assert "11 label maps" in run(python, "-m", "weclip", *line, *how)
    weclip.predict(images, model=run_folder, out=tmp_path / "own", overrides=["eval.flip=true"])
    for mask in (tmp_path / "own" / "masks").iterdir():
        assert (tmp_path / "out" / "masks" / mask.name).read_bytes() == mask.read_bytes()
    assert (tmp_path / "out" / "report.html").is_file()
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert "torch" not in record["versions"]
    assert record["versions"]["onnxruntime"] == metadata.version("onnxruntime")
    assert "label maps" in run(python, "-m", "weclip", *line, *how, "--resume")


@pytest.mark.parametrize(
    "line",
    [
        "train photos clip.weights=ViT-B-16.pt --out run",
        "label photos clip.weights=ViT-B-16.pt --out run",
        "tag photos clip.weights=ViT-B-16.pt --out tags.csv",
        "evaluate --model run --out scores",
        "predict photos --model run --out masks",
        "export --model run --out model.onnx",
        "bundle run --out bundle",
        "demo --out run",
    ],
)
def test_other_commands_say_what_to_install(python, line, tmp_path, voc_world):
    script = (
        "import os, sys; os.chdir(sys.argv[1]); from weclip.cli.app import run; "
        "sys.exit(run(sys.argv[2:]))"
    )
    (tmp_path / "photos").symlink_to(voc_world / "JPEGImages")
    said = run(python, "-c", script, str(tmp_path), *line.split(), code=2)
    assert "which is not installed: pip install 'weclip[torch]', or 'weclip[all]'" in said
    assert len(said.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_help_and_the_api_without_pytorch(python):
    assert "predict" in run(python, "-m", "weclip", "--help")
    for command in ("train", "predict", "export"):
        assert "--model" in run(python, "-m", "weclip", command, "--help") or command == "train"
    said = run(python, "-c", "import weclip; weclip.train('photos', out='run')", code=1)
    assert "InputError: this needs" in said.splitlines()[-1]
    said = run(python, "-c", "import weclip; weclip.load('run')", code=1)
    assert "pip install 'weclip[torch]'" in said.splitlines()[-1]
