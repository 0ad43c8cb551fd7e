"""No memory in any command: one line that names what to lower there, and exit code 1."""

import json
import sys

import numpy as np
import pytest
from PIL import Image
from tests.survival import processes
from tests.survival.test_full_disk import line_of

from weclip.cli import app as cli
from weclip.data.masks.mask_files import save_mask
from weclip.system.errors import RunError
from weclip.system.failures import ADVICE

ROOM = 2**29
"""Bytes; enough for a command on small images, and less than one large image takes."""

ADDRESSES = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux keeps to a limit of addresses"
)

PLACES = {
    "predict": "weclip.inference.predictor.Predictor.logits",
    "evaluate": "weclip.inference.predictor.Predictor.logits",
    "evaluate --masks": "weclip.tasks.evaluate.mask_folders.read_mask",
    "label": "weclip.methods.training_free.TrainingFree.together",
    "tag": "weclip.methods.tag_clip.TagClip.together",
}
"""Where the work of a command is done."""


def line(command):
    return f"weclip: error: out of memory; {ADVICE[command.split()[0]]}\n"


@pytest.mark.parametrize("command", PLACES)
def test_no_memory(tmp_path, monkeypatch, capsys, run_folder, voc_world, clip_file, command):
    def run_out(*_, **__):
        raise RuntimeError(
            "[enforce fail at alloc_cpu.cpp] . DefaultCPUAllocator: can't allocate "
            "memory: you tried to allocate 17496000000 bytes."
        )

    monkeypatch.setattr(PLACES[command], run_out)
    assert cli.run(line_of(command, run_folder, voc_world, clip_file, tmp_path / "out")) == 1
    assert capsys.readouterr().err == line(command)


def test_no_memory_in_the_training_of_the_demo(tmp_path, monkeypatch, capsys):
    """Keys of the training are not its own to lower."""

    def run_out(*_, **__):
        raise RunError("step 5: out of memory; lower train.batch_size") from MemoryError()

    monkeypatch.setattr("weclip.demo.run.write_world", lambda *_, **__: None)
    monkeypatch.setattr("weclip.demo.run.train", run_out)
    assert cli.run(["demo", "--out", str(tmp_path / "demo")]) == 1
    assert capsys.readouterr().err == line("demo")


@ADDRESSES
@pytest.mark.parametrize("command", ["predict", "label", "tag"])
def test_a_limit_of_the_system(tmp_path, run_folder, voc_world, clip_file, command):
    """An image that is too large for this process, and really is not read into it."""
    photos, told = tmp_path / "photos", tmp_path / "told.txt"
    photos.mkdir()
    Image.new("1", (40, 30)).save(photos / "1_small.png")
    Image.new("1", (13_000, 13_000)).save(photos / "2_large.png")
    (photos / "tags.csv").write_text("image,tags\n1_small.png,cat\n2_large.png,cat\n")
    data = [str(photos), "data.classes=voc", f"clip.weights={clip_file}"]
    words = {
        "predict": ["predict", "--model", str(run_folder), str(photos)],
        "label": ["label", *data],
        "tag": ["tag", *data],
    }[command]
    out = tmp_path / ("tags.csv" if command == "tag" else "out")
    process = processes.start([*words, "--out", str(out)], told, room=ROOM)
    process.join()
    assert told.read_text().endswith(line(command)), told.read_text()
    assert process.exitcode == 1
    assert command == "tag" or (out / "masks" / "1_small.png").exists()


@ADDRESSES
def test_masks_are_scored_without_copies_in_64_bits(tmp_path):
    """Two masks of 25 million pixels, in the room of two copies in 64 bits."""
    root, told = tmp_path / "photos", tmp_path / "told.txt"
    mask = np.zeros((5000, 5000), np.uint8)
    mask[2000:, :3000] = 1
    for folder in (root / "masks", tmp_path / "predicted"):
        save_mask(mask, folder / "1.png")
    (root / "1.jpg").write_bytes(b"not read for scores")
    (root / "tags.csv").write_text("image,tags,split\n1.jpg,aeroplane,val\n")
    words = ["evaluate", "--masks", str(tmp_path / "predicted"), "--config", "folder"]
    words += [f"data.root={root}", "data.classes=voc", "data.eval_split=val"]
    words += ["--out", str(tmp_path / "out")]
    process = processes.start(words, told, room=2**28 + 2**27)
    process.join()
    assert process.exitcode == 0, told.read_text()
    record = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert record["predicted"]["miou"] == 1
