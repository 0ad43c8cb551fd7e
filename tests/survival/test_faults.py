"""What goes wrong in a long run, injected: one line, an intact checkpoint, and a way on."""

import contextlib
import multiprocessing
import os
import shutil
import signal
import subprocess

import numpy as np
import pytest
import torch
from PIL import Image
from tests.end_to_end import worlds
from tests.survival.runs import last
from tests.training.tiny_run import same

from weclip.cli import app as cli
from weclip.training.checkpoint import step_path
from weclip.training.loop import Trainer
from weclip.training.runlog import LOG_NAME, read_log


@pytest.fixture(scope="module")
def changes(voc_world, clip_file):
    return [*worlds.voc_changes(voc_world, clip_file), "train.steps=8"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory, changes):
    """An uninterrupted run."""
    out = tmp_path_factory.mktemp("whole") / "run"
    assert worlds.train(out, *changes) == 0
    return out


@pytest.fixture
def at_step(monkeypatch):
    """Do something right before a training step."""

    def inject(step, action):
        honest = Trainer.train_step

        def train_step(self, batch):
            if self.step == step:
                action()
            return honest(self, batch)

        monkeypatch.setattr(Trainer, "train_step", train_step)

    return inject


def continues(out, changes, whole, monkeypatch):
    monkeypatch.undo()
    assert worlds.train(out, *changes, "--resume") == 0
    assert same(last(out).trained, last(whole).trained)


def test_a_cut_off_checkpoint_is_passed_over(tmp_path, changes, whole, capsys):
    out = shutil.copytree(whole, tmp_path / "run")
    newest = step_path(out / "checkpoints", 8)
    newest.write_bytes(newest.read_bytes()[:1000])
    assert worlds.train(out, *changes, "--resume") == 0
    told = " ".join(capsys.readouterr().out.split())
    assert f"warning: {newest}: not a readable weclip checkpoint (damaged" in told
    assert "an earlier checkpoint is used" in told
    assert same(last(out).trained, last(whole).trained)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1.5 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1500k", "tmpfs", str(folder)]
    with contextlib.suppress(FileNotFoundError):
        if subprocess.run(mount, check=False, capture_output=True).returncode == 0:
            yield folder
            subprocess.run(["umount", str(folder)], check=True)
            return
    pytest.skip("mounting is not allowed here; see test_a_disk_that_is_full_for_us")


def test_a_full_disk(small_disk, changes, whole, at_step, capsys, monkeypatch):
    filler = small_disk / "filler"

    def fill():
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))

    out = small_disk / "run"
    at_step(5, fill)
    assert worlds.train(out, *changes) == 1
    line = capsys.readouterr().err
    assert "No space left on device" in line
    assert "the checkpoint after step 4 is intact: continue with --resume" in line
    assert last(out).step == 4
    filler.unlink()
    continues(out, changes, whole, monkeypatch)


def test_a_disk_that_is_full_for_us(tmp_path, changes, whole, at_step, capsys, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    at_step(5, lambda: monkeypatch.setattr("weclip.system.files.os.fsync", full))
    out = tmp_path / "run"
    assert worlds.train(out, *changes) == 1
    line = capsys.readouterr().err
    assert "make room there; the checkpoint after step 4 is intact: continue with" in line
    assert not list(out.rglob("*.tmp"))
    continues(out, changes, whole, monkeypatch)


def test_a_run_folder_that_goes_away_is_not_made_anew(tmp_path, changes, at_step, capsys):
    out = tmp_path / "run"
    at_step(5, lambda: shutil.move(out, tmp_path / "unmounted"))
    assert worlds.train(out, *changes) == 1
    line = capsys.readouterr().err
    assert f"cannot write {out}" in line
    assert "is the disk still there and writable?" in line
    assert not (out / "checkpoints").exists()
    assert last(tmp_path / "unmounted").step == 4


def test_a_dead_worker(tmp_path, changes, whole, at_step, capsys, monkeypatch):
    def kill():
        for child in multiprocessing.active_children():
            os.kill(child.pid, signal.SIGKILL)

    out = tmp_path / "run"
    at_step(3, kill)
    assert worlds.train(out, *changes, "data.workers=1") == 1
    line = capsys.readouterr().err
    assert "a process that reads images died (often for lack of memory: lower data.w" in line
    assert f"the checkpoint after step {last(out).step} is intact" in line
    continues(out, changes, whole, monkeypatch)


def test_data_that_go_away(tmp_path, clip_file, at_step, capsys):
    root = worlds.write_voc(tmp_path / "VOC2012")
    images = root / "JPEGImages"
    at_step(3, lambda: shutil.move(images, tmp_path / "unmounted"))
    out = tmp_path / "run"
    assert (
        worlds.train(
            out, *worlds.voc_changes(root, clip_file), "train.steps=8", "train.save_every=3"
        )
        == 2
    )
    line = capsys.readouterr().err
    assert "image not found; nor can 10 further images of the list be read" in line
    assert last(out).step == 4  # saved, though no checkpoint was due


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
        MemoryError(),
    ],
)
def test_no_memory(tmp_path, changes, at_step, capsys, error):
    def run_out():
        raise error

    at_step(5, run_out)
    assert worlds.train(tmp_path / "run", *changes) == 1
    assert (
        "step 5: out of memory; lower train.batch_size or data.crop_size, or take "
        "train.precision=bf16; the checkpoint after step 4 is intact"
    ) in capsys.readouterr().err


def test_an_error_of_ours_keeps_its_traceback(tmp_path, changes, at_step):
    def bug():
        raise RuntimeError("shapes do not match")

    at_step(5, bug)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        worlds.train(tmp_path / "run", *changes)


def test_nan_leaves_the_step_to_be_run_again(tmp_path, changes, at_step, capsys):
    """The step breaks in the real way, by weights that are too large."""
    out = tmp_path / "run"
    assert worlds.train(out, *changes, "optim.learning_rate=1e9", "optim.warmup_steps=0") == 1
    line = capsys.readouterr().err
    assert "loss is nan" in line
    assert f"weclip replay {out / 'replay.ckpt'} runs this step again" in line
    assert cli.run(["replay", str(out / "replay.ckpt")]) == 0
    told = capsys.readouterr().out
    step = line.split("step ")[1].split(":")[0]
    assert f"step {step}: segmentation" in told
    assert "not finite again" in told
    assert sum(f"train_{i}" in told for i in range(8)) == 2  # the images of the batch


def test_a_replay_of_other_data_says_so(tmp_path, changes, clip_file, capsys):
    out = tmp_path / "run"
    assert worlds.train(out, *changes, "optim.learning_rate=1e9", "optim.warmup_steps=0") == 1
    root = worlds.write_voc(tmp_path / "other")
    names = (root / "ImageSets/Segmentation/train.txt").read_text().split()
    (root / "ImageSets/Segmentation/train.txt").write_text("\n".join(reversed(names)))
    capsys.readouterr()
    assert cli.run(["replay", str(out / "replay.ckpt"), f"data.root={root}"]) == 2
    said = capsys.readouterr()
    assert "the images and tags are not those of the run" in " ".join(said.out.split())
    assert "the data or train.batch_size have changed since" in said.err


def test_a_changed_run_is_resumed_only_when_told(tmp_path, changes, whole, capsys):
    out = shutil.copytree(whole, tmp_path / "run")
    longer = [*changes, "train.steps=10"]
    assert worlds.train(out, *longer, "--resume") == 2
    assert "train.steps was 8, now 10" in capsys.readouterr().err
    assert worlds.train(out, *longer, "--resume", "--accept-changes") == 0
    assert last(out).step == 10


@pytest.mark.parametrize("fault", ["cut off", "all 255"])
def test_masks_that_cannot_be_scored_cost_no_training(tmp_path, clip_file, capsys, fault):
    root = worlds.write_voc(tmp_path / "VOC2012")
    masks = sorted((root / "SegmentationClass").glob("val_*.png"))
    whole = {path: path.read_bytes() for path in masks}
    for path in masks:
        if fault == "all 255":
            Image.fromarray(np.full((worlds.SIZE, worlds.SIZE), 255, np.uint8)).save(path)
    if fault == "cut off":
        masks[1].write_bytes(whole[masks[1]][:60])
    out = tmp_path / "run"
    changes = [*worlds.voc_changes(root, clip_file), "train.steps=4", "train.save_every=100"]
    assert worlds.train(out, *changes) == 2
    line = capsys.readouterr().err
    assert "the training is saved after step 4: mend it, or" in line
    assert (out / "model.safetensors").is_file()
    assert last(out).step == 4
    for path, content in whole.items():
        path.write_bytes(content)
    assert worlds.train(out, *changes, "--resume") == 0
    assert [row["step"] for row in read_log(out / LOG_NAME) if "eval_miou" in row] == [4]


def test_resume_starts_a_run_that_is_not_there(tmp_path, changes, whole, capsys):
    """So that one command line serves a scheduler that starts and restarts."""
    out = tmp_path / "run"
    assert worlds.train(out, *changes, "--resume") == 0
    assert f"no checkpoint in {out}; starting" in " ".join(capsys.readouterr().out.split())
    assert same(last(out).trained, last(whole).trained)
