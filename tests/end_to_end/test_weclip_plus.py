"""WeCLIP+ does all that WeCLIP does, and its second encoder is looked after like the first."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.end_to_end import worlds
from tests.training.tiny_run import same

import weclip
from weclip.cli import app as cli
from weclip.config_file import load_config
from weclip.training.checkpoint import latest_checkpoint
from weclip.training.model_file import read_model_file
from weclip.training.runlog import read_log


@pytest.fixture(scope="module")
def changes(voc_world: Path, clip_file: Path, dino_file: Path) -> list[str]:
    return [*worlds.voc_changes(voc_world, clip_file), f"dino.weights={dino_file}"]


@pytest.fixture(scope="module")
def run(changes: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of four steps; do not change it."""
    out = tmp_path_factory.mktemp("plus") / "run"
    assert worlds.train(out, *changes, config="voc-plus") == 0
    return out


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().err.split())


def test_the_model_file_names_both_encoders(run):
    backbones = read_model_file(run / "model.safetensors").backbones
    assert [each.name for each in backbones.values()] == [
        "tiny-clip.safetensors",
        "tiny-dino.safetensors",
    ]
    assert all(len(each.sha256) == 64 for each in backbones.values())
    terms = {"segmentation", "affinity", "cross", "dice", "loss"}
    assert terms <= read_log(run / "log.jsonl")[0].keys()


def test_the_start_tells_both_encoders(changes, tmp_path, capsys):
    assert worlds.train(tmp_path / "run", *changes, config="voc-plus") == 0
    told = capsys.readouterr().out
    assert "tiny-clip.safetensors, " in told
    assert "tiny-dino.safetensors, 0.1 million parameters, frozen" in told
    assert "(weclip_plus)" in told


def test_a_resumed_run_equals_one_left_alone(run, changes, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(run, out)
    (out / "checkpoints" / "step-000000004.ckpt").unlink()
    assert worlds.train(out, *changes, "--resume", config="voc-plus") == 0
    one, other = (latest_checkpoint(each / "checkpoints")[0] for each in (run, out))
    assert one.step == other.step == 4
    assert same(one.trained, other.trained)


def test_everything_that_models_do(run, voc_world, tmp_path):
    image = next((voc_world / "JPEGImages").iterdir())
    model = weclip.load(run)
    found = model.predict(image)
    assert found.label_map.shape == (worlds.SIZE, worlds.SIZE)
    lines = [
        ["evaluate", "--model", str(run), "--out", str(tmp_path / "scores"), "--labels"],
        ["predict", str(image), "--model", str(run), "--out", str(tmp_path / "p"), "--report"],
    ]
    assert [cli.run(line) for line in lines] == [0, 0]
    assert len(json.loads((tmp_path / "scores" / "evaluation.json").read_text())) == 3
    mask = np.asarray(Image.open(tmp_path / "p" / "masks" / f"{image.stem}.png"))
    assert np.array_equal(mask, np.asarray(found))


def test_it_refines_the_masks_of_label(run, voc_world, clip_file, tmp_path):
    data = [f"data.root={voc_world}", "data.tags_file=tags.csv", "data.train_split=train"]
    line = ["label", "--config", "voc", *data, f"clip.weights={clip_file}"]
    out = [tmp_path / "plain", tmp_path / "refined"]
    assert cli.run([*line, "--out", str(out[0])]) == 0
    assert cli.run([*line, "--out", str(out[1]), f"label.model={run}"]) == 0
    plain, refined = (worlds.folder_content(each / "masks") for each in out)
    assert plain.keys() == refined.keys()
    assert plain != refined


def test_a_released_checkpoint_is_imported(run, changes, voc_world, dino_file, tmp_path, capsys):
    dino = weclip_dino(dino_file)
    released = worlds.write_released(run, tmp_path / "wetr_iter_30000.pth", dino)
    line = ["import", str(released), "--config", "voc-plus", "--out"]
    assert cli.run([*line, str(tmp_path / "out"), *changes]) == 0
    image = next((voc_world / "JPEGImages").iterdir())
    ours, theirs = (weclip.load(each).predict(image) for each in (run, tmp_path / "out"))
    assert np.array_equal(ours, theirs)
    other = worlds.write_dino(tmp_path / "other.safetensors", seed=1)
    assert cli.run([*line, str(tmp_path / "no"), *changes, f"dino.weights={other}"]) == 2
    assert "was trained with another encoder than dino.weights" in said(capsys)
    assert not (tmp_path / "no").exists()


def weclip_dino(file: Path) -> dict[str, torch.Tensor]:
    """The entries of a DINOv2 as the released code saves them."""
    from safetensors.torch import load_file

    return {f"dino_encoder.{name}": value for name, value in load_file(file).items()}


def test_another_second_encoder_is_refused(run, changes, voc_world, tmp_path, capsys):
    image = str(next((voc_world / "JPEGImages").iterdir()))
    other = worlds.write_dino(tmp_path / "other.safetensors", seed=1)
    line = ["predict", image, "--model", str(run), "--out", str(tmp_path / "p")]
    assert cli.run([*line, f"dino.weights={other}"]) == 2
    assert "was trained with DINOv2 tiny-dino.safetensors" in said(capsys)
    assert cli.run([*line, "dino.weights=gone.pth"]) == 2
    assert "tell with dino.weights=PATH where it is" in said(capsys)
    out = tmp_path / "run"
    shutil.copytree(run, out)
    again = [*changes, f"dino.weights={other}", "train.steps=6", "--resume"]
    assert worlds.train(out, *again, config="voc-plus") == 2
    assert "the DINOv2 weights are others" in said(capsys)


def test_a_second_encoder_is_asked_for_where_it_is_needed_and_only_there(changes, tmp_path, capsys):
    none = [*changes, "dino.weights=null"]
    assert worlds.train(tmp_path / "run", *none, config="voc-plus") == 2
    assert "a second encoder is read here" in said(capsys)
    assert worlds.train(tmp_path / "run", *changes, config="voc") == 2
    assert "method 'weclip' has no second encoder; leave it out" in said(capsys)
    assert worlds.train(tmp_path / "run", *changes, "loss.terms=[cross]", config="voc") == 2
    assert "loss 'cross' reads 'branches', which this configuration" in said(capsys)
    assert not (tmp_path / "run").exists()


def test_presets_are_the_published_recipe():
    given = ["data.root=.", "clip.weights=.", "dino.weights=.", "faithful=true"]
    voc, coco = (load_config(f"{name}-plus", given) for name in ("voc", "coco"))
    for config, steps, batch, confident in ((voc, 30_000, 4, 18_001), (coco, 80_000, 8, 40_001)):
        assert (config.train.steps, config.train.batch_size) == (steps, batch)
        assert config.method.weclip_plus.confident_from == confident
        assert config.optim.learning_rate == 2e-4
        assert config.eval.scales == (1.0, 1.5)
        assert config.loss.terms == ("segmentation", "affinity", "cross", "dice")
    assert (voc.quirk("cam_skips_block"), coco.quirk("cam_skips_block")) == (True, False)
    attention = voc.affinity.attention, coco.affinity.attention
    assert [each.refined_layers for each in attention] == [6, 8]
    assert [each.refined_boxes for each in attention] == [False, True]


def test_own_photos_choose_when_predictions_count(clip_file, dino_file, tmp_path):
    root = worlds.write_folder(tmp_path / "photos")
    small = [each for each in worlds.SMALL if "confident_from" not in each]
    line = [
        *("train", str(root), "--config", "folder-plus", "--out", str(tmp_path / "run")),
        *(f"clip.weights={clip_file}", f"dino.weights={dino_file}", *small),
        *("data.tags_file=tags.jsonl", f"data.classes={root / 'classes.yaml'}"),
    ]
    assert cli.run(line) == 0
    text = (tmp_path / "run" / "config.yaml").read_text()
    assert "confident_from: 3" in text  # after 3/5 of four steps
