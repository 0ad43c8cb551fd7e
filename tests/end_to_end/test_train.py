import json
import shutil

import pytest
from tests.end_to_end.worlds import (
    SMALL,
    folder_content,
    train,
    voc_changes,
    write_coco,
    write_folder,
    write_voc,
)
from tests.training.tiny_run import same

import weclip
from weclip.config_file import from_yaml, load_config
from weclip.training.checkpoint import latest_checkpoint
from weclip.training.loop import Trainer
from weclip.training.runlog import read_log


def last(out):
    return latest_checkpoint(out / "checkpoints")[0]


def test_a_run_folder_holds_everything(run_folder, voc_world, clip_file):
    content = folder_content(run_folder)
    steps = {f"checkpoints/step-00000000{step}.ckpt" for step in (2, 4)}
    files = {"config.yaml", "log.jsonl", "run.json", "model.safetensors", "checkpoints/best.ckpt"}
    assert steps | files <= content.keys()
    config = load_config("voc", voc_changes(voc_world, clip_file))
    assert from_yaml((run_folder / "config.yaml").read_text(), "config.yaml") == config
    marker = json.loads(content["run.json"])
    assert marker["kind"] == "training"
    assert {"weclip", "torch", "python", "device", "commit"} <= marker["versions"].keys()
    assert last(run_folder).step == 4
    rows = read_log(run_folder / "log.jsonl")
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 4]
    assert "eval_miou" in rows[-1]


def test_learns_from_a_plain_folder_with_its_own_classes(tmp_path, clip_file, capsys):
    root = write_folder(tmp_path / "photos")
    changes = [
        f"data.root={root}",
        "data.tags_file=tags.jsonl",
        f"data.classes={root / 'classes.yaml'}",
        f"clip.weights={clip_file}",
    ]
    assert train(tmp_path / "run", *changes, *SMALL, config="folder") == 0
    assert "No scores" not in capsys.readouterr().out
    names = weclip.load(tmp_path / "run").class_names
    assert names == ("background", "bird", "cat", "dog")
    assert train(tmp_path / "r2", *changes, *SMALL, "data.eval_split=val", config="folder") == 0
    assert "eval_miou" in read_log(tmp_path / "r2" / "log.jsonl")[-1]
    assert same(last(tmp_path / "run").trained, last(tmp_path / "r2").trained)


def test_learns_from_coco_annotations(tmp_path, clip_file):
    root = write_coco(tmp_path / "MSCOCO")
    changes = [f"data.root={root}", f"clip.weights={clip_file}", *SMALL]
    assert train(tmp_path / "run", *changes, config="coco") == 0
    assert len(weclip.load(tmp_path / "run").class_names) == 81
    assert "eval_miou" in read_log(tmp_path / "run" / "log.jsonl")[-1]


def test_classes_without_an_image_are_named(tmp_path, clip_file, capsys):
    root = write_coco(tmp_path / "MSCOCO")
    changes = [f"data.root={root}", f"clip.weights={clip_file}", *SMALL]
    assert train(tmp_path / "run", *changes, config="coco") == 0
    told = " ".join(capsys.readouterr().out.split())
    named = told.split("warning: no training image is tagged ")[1].split("; see weclip check")[0]
    assert {"person", "toothbrush"} <= {*named.split(", ")}
    assert not {"bird", "cat", "dog"} & {*named.split(", ")}


def test_a_few_broken_images_are_named_and_skipped(tmp_path, clip_file, capsys):
    root = write_voc(tmp_path / "VOC2012")
    split = root / "ImageSets" / "Segmentation" / "train.txt"
    broken = root / "JPEGImages" / f"{split.read_text().split()[0]}.png"
    broken.write_bytes(broken.read_bytes()[:100])
    changes = [*voc_changes(root, clip_file), f"data.decoded_cache={tmp_path / 'decoded'}"]
    assert train(tmp_path / "run", *changes, "data.max_unreadable=0.9", "train.steps=8") == 0
    told = capsys.readouterr().out
    assert told.count(f"warning: skipped: {broken}: image cannot be read") == 1
    assert "warning: 1 training images could not be read" in told
    assert "Decoded images are kept in" in told


def test_masks_make_no_difference_to_the_weights(tmp_path, run_folder, clip_file, capsys):
    """Bit-identical: masks there, masks deleted, and no split to score on."""
    bare = write_voc(tmp_path / "VOC2012")
    shutil.rmtree(bare / "SegmentationClass")
    changes = voc_changes(bare, clip_file)
    assert train(tmp_path / "bare", *changes) == 0
    assert "warning: no scores during training: " in capsys.readouterr().out
    assert train(tmp_path / "null", *changes, "data.eval_split=null") == 0
    for name in ("bare", "null"):
        assert same(last(tmp_path / name).trained, last(run_folder).trained)
        assert not (tmp_path / name / "checkpoints" / "best.ckpt").exists()
        assert (tmp_path / name / "model.safetensors").exists()


def test_two_seeds_differ(tmp_path, run_folder, voc_world, clip_file):
    assert train(tmp_path / "run", *voc_changes(voc_world, clip_file), "train.seed=1") == 0
    assert not same(last(tmp_path / "run").trained, last(run_folder).trained)


def test_resume_continues_bit_for_bit(tmp_path, run_folder, voc_world, clip_file, monkeypatch):
    out, changes = tmp_path / "run", voc_changes(voc_world, clip_file)
    honest = Trainer.train_step

    def interrupted(self, batch):
        if self.step == 3:
            raise KeyboardInterrupt
        return honest(self, batch)

    monkeypatch.setattr(Trainer, "train_step", interrupted)
    assert train(out, *changes) == 130
    monkeypatch.undo()
    assert last(out).step == 2
    assert train(out, *changes, "--resume", "train.log_every=2") == 0
    assert same(last(out).trained, last(run_folder).trained)
    rows, whole = read_log(out / "log.jsonl"), read_log(run_folder / "log.jsonl")
    assert [row["step"] for row in rows] == [1, 2, 4, 4]
    assert rows[-1] == whole[-1]
    assert rows[-2]["learning_rate"] == whole[-2]["learning_rate"]


def test_resume_with_another_configuration_is_refused(run_folder, voc_world, clip_file, capsys):
    before = folder_content(run_folder)
    changes = voc_changes(voc_world, clip_file)
    assert train(run_folder, *changes, "train.steps=8", "train.seed=5", "--resume") == 2
    message = capsys.readouterr().err
    assert "train.seed was 0, now 5; train.steps was 4, now 8" in message
    assert "train.log_every" not in message
    assert folder_content(run_folder) == before


def test_a_run_is_not_overwritten_by_accident(run_folder, voc_world, clip_file, capsys):
    before = folder_content(run_folder)
    assert train(run_folder, *voc_changes(voc_world, clip_file)) == 2
    assert "is not empty; choose another folder or add --overwrite" in capsys.readouterr().err
    assert folder_content(run_folder) == before


def test_overwrite_starts_anew(tmp_path, run_folder, voc_world, clip_file):
    out = tmp_path / "run"
    shutil.copytree(run_folder, out)
    (out / "old.txt").write_text("x")
    changes = voc_changes(voc_world, clip_file)
    assert train(out, *changes, "--overwrite", "train.steps=2") == 0
    assert not (out / "old.txt").exists()
    assert last(out).step == 2


def test_a_missing_mask_file_in_brackets_is_told_plainly(tmp_path, clip_file, capsys):
    """Rich would take [...] for a style."""
    root = write_voc(tmp_path / "data [v1] [/b]")
    shutil.rmtree(root / "SegmentationClass")
    changes = voc_changes(root, clip_file)
    changes[0] = f'data.root="{root}"'
    assert train(tmp_path / "[run]", *changes) == 0
    shown = capsys.readouterr().out
    assert "data [v1] [/b]" in shown
    assert "[run]" in shown


@pytest.mark.parametrize("switch", ["--resume", "--overwrite"])
def test_no_standard_error_output_when_all_is_well(
    switch, tmp_path, run_folder, voc_world, clip_file, capsys
):
    shutil.copytree(run_folder, tmp_path / "run")
    assert train(tmp_path / "run", *voc_changes(voc_world, clip_file), switch) == 0
    assert capsys.readouterr().err == ""
