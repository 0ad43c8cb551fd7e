"""Tags by CLIP with a memory: `weclip tag`, and `label` and `train` that make tags."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from tests.end_to_end import worlds
from tests.labels.banks.test_feature_bank import a_bank

from weclip.cli import app as cli
from weclip.labels.banks.bank_file import save_bank

pytest.importorskip("skimage", reason="needs the extra 'regions'")
CUT = "regions.superpixels.count=12"
AUTO = "data.tags_file=auto"


@pytest.fixture(scope="module")
def line(voc_world: Path, clip_file: Path, dino_file: Path) -> list[str]:
    """The VOC folder with what a memory reads."""
    data = [f"data.root={voc_world}", "data.tags_file=tags.csv", "data.train_split=train"]
    weights = [f"clip.weights={clip_file}", f"dino.weights={dino_file}"]
    return ["--config", "voc", *data, *weights, CUT]


@pytest.fixture(scope="module")
def banks(line: list[str], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two memories, of regions that were cut otherwise."""
    root = tmp_path_factory.mktemp("banks")
    paths = [root / "one.safetensors", root / "other.safetensors"]
    for count, path in zip((12, 4), paths, strict=True):
        given = [*line, f"regions.superpixels.count={count}", "--out", str(path)]
        assert cli.run(["memory", *given]) == 0
    return paths


def scores(path: Path) -> list[str]:
    return [row["scores"] for row in csv.DictReader(path.open(encoding="utf-8"))]


def test_a_memory_changes_tags_and_is_named(line, banks, voc_world, tmp_path):
    plain, helped, trained = (tmp_path / f"{name}.csv" for name in ("plain", "helped", "trained"))
    alone = [each for each in line if "dino" not in each]
    assert cli.run(["tag", *alone, "--out", str(plain)]) == 0
    assert cli.run(["tag", *line, f"tags.memory={banks[0]}", "--out", str(helped)]) == 0
    assert scores(plain) != scores(helped)
    record = json.loads((tmp_path / "helped.csv.json").read_text())
    assert len(record["files"]["tags.memory"]) == 64
    assert len(record["dino"]["sha256"]) == 64
    assert record["regions"]["saw_human_masks"] is False
    assert record["memories"]["tags.memory"]["source"] == "superpixels"
    own = [*line, f"tags.memory={banks[0]}", "memory.own_weight=1", "--out", str(trained)]
    assert cli.run(["tag", *own]) == 0
    assert scores(plain) == scores(trained)


def test_labels_go_on_with_the_same_memory_alone(line, banks, tmp_path, capsys):
    out, moved = tmp_path / "out", shutil.copy(banks[0], tmp_path / "moved.safetensors")
    given = ["label", *line, AUTO, "--out", str(out)]
    assert cli.run([*given, f"tags.memory={banks[0]}"]) == 0
    recipe = json.loads((out / "label.json").read_text())
    assert recipe["regions"]["source"] == "superpixels"
    assert recipe["dino"]["sha256"]
    assert cli.run([*given, f"tags.memory={moved}", "--resume"]) == 0
    capsys.readouterr()
    assert cli.run([*given, f"tags.memory={banks[1]}", "--resume"]) == 2
    assert "tags.memory was" in capsys.readouterr().err


def test_a_training_goes_on_with_the_same_memory_alone(line, banks, tmp_path, capsys):
    """The method reads no second encoder, nor does the model need one afterwards."""
    run, moved = tmp_path / "run", shutil.copy(banks[0], tmp_path / "moved.safetensors")
    given = [*line, *worlds.SMALL, AUTO, "train.steps=2", "train.save_every=1"]
    assert worlds.train(run, *given[2:], f"tags.memory={banks[0]}") == 0
    again = ["train", *given, "--out", str(run), "--resume"]
    assert cli.run([*again, f"tags.memory={moved}"]) == 0
    capsys.readouterr()
    assert cli.run([*again, f"tags.memory={banks[1]}"]) == 2
    assert "the rows of tags.memory are others" in capsys.readouterr().err
    scored = ["evaluate", "--model", str(run), "--out", str(tmp_path / "scores")]
    assert cli.run(scored) == 0
    record = json.loads((tmp_path / "scores" / "evaluation.json").read_text())
    assert '"saw_human_masks": false' in json.dumps(record)


def test_a_bank_of_classes_is_refused(line, tmp_path, capsys):
    path = tmp_path / "bank.safetensors"
    save_bank(path, a_bank(classes=True))
    given = [*line, f"tags.memory={path}", "--out", str(tmp_path / "tags.csv")]
    assert cli.run(["tag", *given]) == 2
    assert f"tags.memory={path}: a bank of classes, of a run" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (["dino.weights=demo"], "tags.memory={bank}: made with dino tiny-dino.safetensors"),
        (["memory.max_rows=3"], "tags.memory={bank}: 21 rows, and memory.max_rows=3 are allowed"),
        (["tags.self_attention_blocks=2"], "but here is 'guide patches; patch embedding of 2"),
    ],
)
def test_a_memory_that_does_not_fit_is_refused(line, banks, changes, said, tmp_path, capsys):
    given = [*line, f"tags.memory={banks[0]}", *changes, "--out", str(tmp_path / "tags.csv")]
    assert cli.run(["tag", *given]) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert said.format(bank=banks[0]) in error
    assert not (tmp_path / "tags.csv").exists()
