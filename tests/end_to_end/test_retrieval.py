"""Retrieval and memories through the command line, on drawn boxes and random encoders."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.end_to_end import worlds

import weclip
from weclip.cli import app as cli
from weclip.labels.banks.bank_file import read_bank
from weclip.tasks.banks import parts
from weclip.training.runlog import read_log

pytest.importorskip("skimage", reason="needs the extra 'regions'")
SMALL = (
    "data.format=voc data.workers=0 data.train_split=train data.eval_split=val "
    "eval.long_side=null method.retrieval.neighbours=1 method.retrieval.erosion=1 "
    "regions.superpixels.count=16 par.iterations=2 par.dilations=[1,2] eval.precision=float32 "
    "label.precision=float32"
).split()


@pytest.fixture(scope="module")
def changes(voc_world: Path, clip_file: Path, dino_file: Path) -> list[str]:
    data = [f"data.root={voc_world}", "data.classes=voc", "data.tags_file=tags.csv", *SMALL]
    return [*data, f"clip.weights={clip_file}", f"dino.weights={dino_file}"]


def train(out: Path, *changes: str) -> int:
    return cli.run(["train", "--config", "folder-retrieval", *changes, "--out", str(out)])


@pytest.fixture(scope="module")
def run(changes: list[str], voc_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bank of the true masks; do not change it."""
    out = tmp_path_factory.mktemp("retrieval") / "run"
    masks = f"method.retrieval.masks={voc_world / 'SegmentationClass'}"
    assert train(out, *changes, masks) == 0
    return out


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().err.split())


def ids_of(path: Path) -> np.ndarray:
    return np.array(Image.open(path))


def test_a_run_has_a_model_a_bank_scores_and_a_report(run):
    assert {each.name for each in run.iterdir()} >= {
        "bank.safetensors",
        "model.safetensors",
        "report.html",
        "config.yaml",
        "log.jsonl",
    }
    rows = read_log(run / "log.jsonl")
    assert [row["step"] for row in rows] == [0]
    assert rows[0]["eval_miou"] > 0.25
    bank = read_bank(run / "bank.safetensors", most_rows=100, key="")
    assert len(bank.names) == 8
    assert b"train_0" not in (run / "model.safetensors").read_bytes()


def test_it_predicts_with_confidence(run, voc_world, tmp_path):
    out, image = tmp_path / "masks", voc_world / "JPEGImages" / "val_8.png"
    line = ["predict", str(image), "--model", str(run), "--confidence", "--out", str(out)]
    assert cli.run(line) == 0
    mask = ids_of(out / "masks" / "val_8.png")
    assert mask.shape == (worlds.SIZE, worlds.SIZE)
    assert np.array_equal(mask, weclip.load(run, device="cpu").predict(image).label_map)
    assert ids_of(out / "confidence" / "val_8.png").max() == 255


@pytest.mark.long
def test_a_bundle_predicts_and_a_graph_is_refused(run, voc_world, tmp_path, capsys):
    bundle = tmp_path / "bundle"
    assert cli.run(["bundle", str(run), "--out", str(bundle), "--precision", "float32"]) == 0
    image = voc_world / "JPEGImages" / "val_8.png"
    one, other = (weclip.load(each, device="cpu").predict(image) for each in (run, bundle))
    assert np.array_equal(one.label_map, other.label_map)
    line = ["export", "--model", str(run), "--out", str(tmp_path / "model.onnx")]
    assert cli.run(line) == 2
    assert "searches a bank, which no exported graph does; weclip bundle" in said(capsys)


@pytest.mark.long
def test_masks_are_made_where_none_are_given(changes, tmp_path):
    out = tmp_path / "run"
    assert train(out, *changes, "data.eval_split=null") == 0
    assert len(list((out / "labels" / "masks").glob("*.png"))) == 8
    before = (out / "bank.safetensors").read_bytes()
    assert train(out, *changes, "data.eval_split=null", "--resume") == 0
    assert (out / "bank.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    ("more", "line"),
    [
        (["method.retrieval.masks=nowhere"], "method.retrieval.masks=nowhere: no such folder"),
        (["regions.files=x"], "x: folder of regions (regions.files) not found"),
        (["method.retrieval.least_area=1000000"], "no region of a mask is left for the bank"),
        (["train.cuda_graphs=true"], "the method 'retrieval' has nothing to replay"),
    ],
)
def test_what_cannot_be_filled_is_one_line(changes, voc_world, tmp_path, capsys, more, line):
    masks = f"method.retrieval.masks={voc_world / 'SegmentationClass'}"
    assert train(tmp_path / "run", *changes, masks, *more) == 2
    assert line in said(capsys)


def label(out: Path, changes: list[str], *more: str) -> int:
    given = [each for each in changes if not each.startswith(("method.", "dino.", "eval."))]
    return cli.run(["label", "--config", "voc", *given, *more, "--out", str(out)])


def test_masks_are_cleaned_by_the_other_images(changes, run, voc_world, tmp_path, capsys):
    assert label(tmp_path / "clean", changes, f"label.model={run}") == 0
    masks = sorted((tmp_path / "clean" / "masks").glob("*.png"))
    truth = [ids_of(voc_world / "SegmentationClass" / each.name) for each in masks]
    found = [ids_of(each) for each in masks]
    assert len(found) == 8
    for one, other in zip(found, truth, strict=True):
        assert set(np.unique(one)) <= set(np.unique(other)) | {0}
    alone = tmp_path / "alone"
    shutil.copytree(run, alone)
    (alone / "bank.safetensors").unlink()
    assert label(tmp_path / "other", changes, f"label.model={alone}") == 2
    assert "no bank.safetensors beside it" in said(capsys)


def memory(out: Path, changes: list[str], *more: str) -> int:
    given = [each for each in changes if not each.startswith(("method.", "eval."))]
    return cli.run(["memory", "--config", "voc", *given, *more, "--out", str(out)])


def test_a_memory_stops_goes_on_and_is_shared(changes, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(parts, "TOGETHER", 3)
    whole, other = tmp_path / "bank.safetensors", tmp_path / "other.safetensors"
    assert memory(whole, changes) == 0
    assert not list(tmp_path.glob("*.parts"))
    bank = read_bank(whole, most_rows=10**6, key="")
    assert [*bank.encoders] == ["clip", "dino"]
    assert len(bank.names) == 8
    assert memory(other, changes, "--shard", "2/2") == 0
    assert not other.exists()
    assert "2 of 3 parts are missing" in " ".join(capsys.readouterr().out.split())
    assert memory(other, changes) == 2
    assert "holds work that has not ended; add --resume" in said(capsys)
    assert memory(other, changes, "label.scale=2", "--resume") == 2
    assert "made otherwise (other regions or sizes)" in said(capsys)
    assert memory(other, changes, "--resume") == 0
    assert other.read_bytes() == whole.read_bytes()
    assert memory(other, changes) == 2
    assert "exists; choose another name or add --overwrite" in said(capsys)
    assert memory(other, changes, "--overwrite", "memory.max_rows=9") == 0
    assert "rows are left out, evenly over all" in " ".join(capsys.readouterr().out.split())
    assert len(read_bank(other, most_rows=9, key="")) == 9
