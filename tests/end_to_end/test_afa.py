"""AFA does all that trained methods do, without a CLIP."""

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
from weclip.training.checkpoint import latest_checkpoint
from weclip.training.model_file import read_model_file
from weclip.training.runlog import read_log


@pytest.fixture(scope="module")
def run(afa_changes: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of four steps; do not change it."""
    out = tmp_path_factory.mktemp("afa") / "run"
    assert worlds.train(out, *afa_changes, config="voc-afa") == 0
    return out


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().err.split())


def test_the_model_file_holds_all_and_names_no_backbone(run):
    model = read_model_file(run / "model.safetensors")
    assert model.backbones == {}
    parts = {name.split(".")[0] for name in model.trained}
    assert parts == {"encoder", "classifier", "affinity", "segmenter"}
    terms = {"classification", "segmentation", "affinity", "loss"}
    assert terms <= read_log(run / "log.jsonl")[0].keys()


def test_a_resumed_run_equals_one_left_alone(run, afa_changes, tmp_path):
    """Running averages of batch normalisation are part of the state."""
    out = tmp_path / "run"
    shutil.copytree(run, out)
    (out / "checkpoints" / "step-000000004.ckpt").unlink()
    assert worlds.train(out, *afa_changes, "--resume", config="voc-afa") == 0
    one, other = (latest_checkpoint(each / "checkpoints")[0] for each in (run, out))
    assert one.step == other.step == 4
    assert same(one.trained, other.trained)
    assert one.trained["segmenter.norm.running_mean"].any()


def test_everything_that_models_do(run, mit_file, voc_world, tmp_path):
    moved = tmp_path / "elsewhere"
    shutil.copytree(run, moved)  # MiT's own weights are not read any more
    image = next((voc_world / "JPEGImages").iterdir())
    found = weclip.load(moved, mit={"weights": "gone.pth"}).predict(image)
    assert found.label_map.shape == (worlds.SIZE, worlds.SIZE)
    lines = [
        ["evaluate", "--model", str(run), "--out", str(tmp_path / "scores"), "--labels"],
        ["predict", str(image), "--model", str(run), "--out", str(tmp_path / "p"), "--report"],
        ["bundle", str(run), "--out", str(tmp_path / "bundle")],
    ]
    assert [cli.run(line) for line in lines] == [0, 0, 0]
    assert len(json.loads((tmp_path / "scores" / "evaluation.json").read_text())) == 3
    mask = np.asarray(Image.open(tmp_path / "p" / "masks" / f"{image.stem}.png"))
    assert np.array_equal(mask, np.asarray(found))
    assert np.array_equal(np.asarray(weclip.load(tmp_path / "bundle").predict(image)), mask)
    card = (tmp_path / "bundle" / "README.md").read_text()
    assert "CLIP" not in card
    assert "started from tiny-mit.safetensors" in card


def test_scales_are_merged_by_their_maximum(run, voc_world):
    image = next((voc_world / "JPEGImages").iterdir())
    pixels = np.asarray(Image.open(image).convert("RGB"))
    use = {"scales": [1.0, 2.0], "flip": False, "long_side": None}
    prepared = [np.float32(pixels.transpose(2, 0, 1))[None]]
    changes = ({"scales": [1.0]}, {"scale_merge": "max"}, {"scale_merge": "mean"})
    models = [weclip.load(run, eval={**use, **more}) for more in changes]
    one, two, both = (model.predictor.logits(prepared) for model in models)
    assert (two >= one - 1e-6).all()
    assert (two >= both - 1e-6).all()
    assert (two > both).any()


def test_its_affinity_does_not_fit_other_patches(run, voc_world, clip_file, tmp_path, capsys):
    data = [f"data.root={voc_world}", "data.tags_file=tags.csv", "data.train_split=train"]
    line = ["label", "--config", "voc", *data, f"clip.weights={clip_file}"]
    assert cli.run([*line, "--out", str(tmp_path / "masks"), f"label.model={run}"]) == 2
    assert "between patches of 16 pixels, and the CLIP has patches of 8" in said(capsys)
    assert not (tmp_path / "masks").exists()


def test_it_refines_the_masks_of_label(run, voc_world, tmp_path):
    """Of a CLIP of patches that are its own."""
    clip = worlds.write_clip(tmp_path / "clip.safetensors", patch=16)
    data = [f"data.root={voc_world}", "data.tags_file=tags.csv", "data.train_split=train"]
    line = ["label", "--config", "voc", *data, f"clip.weights={clip}", "label.scale=2"]
    out = [tmp_path / "plain", tmp_path / "refined"]
    assert cli.run([*line, "--out", str(out[0])]) == 0
    assert cli.run([*line, "--out", str(out[1]), f"label.model={run}"]) == 0
    plain, refined = (worlds.folder_content(each / "masks") for each in out)
    assert plain.keys() == refined.keys()
    assert plain != refined


def test_mit_is_asked_for_where_it_is_needed(afa_changes, clip_file, tmp_path, capsys):
    none = [*afa_changes, "mit.weights=null"]
    assert worlds.train(tmp_path / "run", *none, config="voc-afa") == 2
    assert "starts from weights of MiT; add mit.weights=" in said(capsys)
    clip = f"clip.weights={clip_file}"
    assert worlds.train(tmp_path / "run", *afa_changes, clip, config="voc") == 2
    assert "method 'weclip' trains no MiT; leave it out" in said(capsys)
    odd = [*afa_changes, "data.crop_size=48"]
    assert worlds.train(tmp_path / "run", *odd, config="voc-afa") == 2
    assert "data.crop_size=48 is not a multiple of 32" in said(capsys)
    assert not (tmp_path / "run").exists()


def test_other_weights_to_start_from_are_another_run(run, afa_changes, mit_file, tmp_path, capsys):
    out, other = tmp_path / "run", tmp_path / "other.safetensors"
    shutil.copytree(run, out)
    shutil.copy(mit_file, other)
    same_weights = [*afa_changes, f"mit.weights={other}", "--resume"]
    assert worlds.train(out, *same_weights, config="voc-afa") == 0
    from safetensors.torch import load_file, save_file

    save_file({name: value + 1 for name, value in load_file(mit_file).items()}, other)
    assert worlds.train(out, *same_weights, "train.steps=6", config="voc-afa") == 2
    assert "the MiT weights are others" in said(capsys)


RELEASED = (
    ("affinity.mix.", "attn_proj."),
    *((f"segmenter.projections.{i}.", f"decoder.linear_c{i + 1}.proj.") for i in range(4)),
    ("segmenter.fuse.", "decoder.linear_fuse.conv."),
    ("segmenter.norm.", "decoder.linear_fuse.bn."),
    ("segmenter.classifier.", "decoder.linear_pred."),
)


def write_released(run: Path, path: Path) -> Path:
    """The weights of a run as the released code would have saved them."""
    released = {"module.decoder.linear_fuse.bn.num_batches_tracked": torch.tensor(16)}
    for name, value in read_model_file(run / "model.safetensors").trained.items():
        for ours, theirs in RELEASED:
            name = name.replace(ours, theirs) if name.startswith(ours) else name
        released[f"module.{name}"] = value
    torch.save(released, path)
    return path


def test_a_released_checkpoint_is_imported(run, afa_changes, voc_world, tmp_path, capsys):
    released = write_released(run, tmp_path / "wetr_iter_20000.pth")
    changes = [each for each in afa_changes if "mit." not in each]  # not needed
    line = ["import", str(released), "--config", "voc-afa", "--out"]
    assert cli.run([*line, str(tmp_path / "out"), *changes]) == 0
    image = next((voc_world / "JPEGImages").iterdir())
    ours, theirs = (weclip.load(each).predict(image) for each in (run, tmp_path / "out"))
    assert np.array_equal(ours, theirs)
    capsys.readouterr()
    assert cli.run([*line, str(tmp_path / "no"), *changes, "method.afa.width=8"]) == 2
    assert "do not fit the configuration" in said(capsys)
    state = torch.load(released)
    for change, told in (
        (lambda s: s.pop("module.attn_proj.weight"), "lacks entries of its heads"),
        (lambda s: s.update({"module.par.kernel": torch.ones(8)}), "has par.kernel"),
        (lambda s: s.pop("module.encoder.norm1.bias"), "norm1.bias"),
    ):
        damaged = dict(state)
        change(damaged)
        torch.save(damaged, tmp_path / "damaged.pth")
        place = [str(tmp_path / "damaged.pth"), *line[2:], str(tmp_path / "no")]
        assert cli.run(["import", *place, *changes]) == 2
        assert told in said(capsys)
    assert not (tmp_path / "no").exists()
