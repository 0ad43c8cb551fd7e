"""docs/extending.md: each example is short, and works from outside the package."""

from pathlib import Path

import numpy as np
import pytest
from tests.end_to_end import worlds
from tests.end_to_end.plugin_pages import write_plugins

import weclip
from weclip.cli import app as cli
from weclip.config_file import load_config
from weclip.parts import LOSS
from weclip.system.errors import InputError
from weclip.training.model_file import read_model_file

CHOICES = {
    "my_loss": ["loss.terms=[segmentation,affinity,confidence]", "loss.confidence.weight=0.5"],
    "my_maps": ["cam.source=similarity", "cam.similarity.blocks=1"],
    "my_affinity": ["affinity.source=last_attention"],
    "my_method": ["method.name=linear"],
}


@pytest.fixture
def plugins(tmp_path: Path) -> dict[str, Path]:
    return write_plugins(tmp_path)


def train(out: Path, changes: list[str], *files: Path, more: tuple[str, ...] = ()) -> int:
    named = [word for file in files for word in ("--plugin", str(file))]
    return worlds.train(out, *changes, "train.steps=5", *named, *more)


def weights(run: Path) -> dict:
    return read_model_file(run / "model.safetensors").trained


def test_each_example_is_under_30_lines(plugins):
    assert set(plugins) == set(CHOICES)
    assert all(len(file.read_text().splitlines()) < 30 for file in plugins.values())


@pytest.mark.parametrize("name", CHOICES)
def test_it_trains_predicts_and_changes_the_result(name, plugins, voc_world, clip_file, tmp_path):
    data = worlds.voc_changes(voc_world, clip_file)
    assert train(tmp_path / "mine", [*data, *CHOICES[name]], plugins[name]) == 0
    assert train(tmp_path / "plain", data) == 0
    mine, plain = weights(tmp_path / "mine"), weights(tmp_path / "plain")
    assert mine.keys() != plain.keys() or any((mine[k] != plain[k]).any() for k in mine)
    model = weclip.load(tmp_path / "mine", plugins=[plugins[name]])
    assert model.predict(np.zeros((40, 50, 3), np.uint8)).label_map.shape == (40, 50)


def test_a_map_source_and_a_loss_together(plugins, voc_world, clip_file, tmp_path):
    data = worlds.voc_changes(voc_world, clip_file)
    changes = [*data, *CHOICES["my_maps"], *CHOICES["my_loss"]]
    files = (plugins["my_maps"], plugins["my_loss"])
    assert train(tmp_path / "run", changes, *files) == 0
    log = (tmp_path / "run" / "log.jsonl").read_text()
    assert '"confidence"' in log
    scores = [
        "evaluate",
        "--model",
        str(tmp_path / "run"),
        "--labels",
        "--out",
        str(tmp_path / "s"),
    ]
    assert cli.run([*scores, "--plugin", str(files[0]), "--plugin", str(files[1])]) == 0


def test_what_was_made_with_a_plugin_wants_the_same(
    plugins, voc_world, clip_file, tmp_path, capsys
):
    data = worlds.voc_changes(voc_world, clip_file)
    changes, run, file = [*data, *CHOICES["my_loss"]], tmp_path / "run", plugins["my_loss"]
    assert train(run, changes, file) == 0
    assert (
        str(tmp_path) not in read_model_file(run / "model.safetensors").config.split("plugins")[1]
    )
    with pytest.raises(InputError, match=r"was made with the plugin my_loss\.py \(SHA-256 "):
        weclip.load(run)
    image = str(next((voc_world / "JPEGImages").iterdir()))
    predict = ["predict", "--model", str(run), image, "--out", str(tmp_path / "p")]
    assert cli.run(predict) == 2
    assert "give it with --plugin FILE" in capsys.readouterr().err
    assert train(run, changes, more=("--resume",)) == 2
    assert "unknown key loss.confidence" in capsys.readouterr().err
    other = tmp_path / "other"
    other.mkdir()
    changed = other / "my_loss.py"
    changed.write_text(file.read_text().replace("0.05", "0.06"))
    assert cli.run([*predict, "--plugin", str(changed)]) == 2
    assert "was made with another my_loss.py" in capsys.readouterr().err
    assert train(run, changes, changed, more=("--resume",)) == 2
    assert "plugins.my_loss.py was" in capsys.readouterr().err
    assert train(run, changes, file, more=("--resume",)) == 0
    assert cli.run([*predict, "--plugin", str(file)]) == 0


def test_a_plugin_counts_only_in_the_call_that_names_it(plugins):
    base = ["data.root=x", "clip.weights=y", *CHOICES["my_loss"]]
    config = load_config("voc", base, plugins=[plugins["my_loss"]])
    assert config.part(LOSS, "confidence").weight == 0.5
    with pytest.raises(InputError, match=r"unknown key loss\.confidence; .*needs --plugin"):
        load_config("voc", base)


def test_help_lists_the_parts(capsys):
    cli.run(["train", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "affinity.source: attention, class_distribution, guide, none." in said
