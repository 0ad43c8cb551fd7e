"""No memory in any command: one line that names what to lower there, and exit code 1."""

import sys

import pytest
from PIL import Image
from tests.survival import processes
from tests.survival.test_full_disk import line_of

from weclip.cli import app as cli
from weclip.system.errors import RunError
from weclip.system.failures import ADVICE

ROOM = 2**29
"""Bytes; enough for a command on small images, and less than one large image takes."""

PLACES = {
    "predict": "weclip.inference.predictor.Predictor.__call__",
    "evaluate": "weclip.inference.predictor.Predictor.__call__",
    "evaluate --masks": "weclip.tasks.evaluate.mask_folders.read_mask",
    "label": "weclip.methods.training_free.TrainingFree.__call__",
    "tag": "weclip.methods.tag_clip.TagClip.__call__",
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


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps to a limit of addresses")
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
    process = processes.start([*words, "--out", str(out)], told, threads=1, room=ROOM)
    process.join()
    assert told.read_text().endswith(line(command)), told.read_text()
    assert process.exitcode == 1
    assert command == "tag" or (out / "masks" / "1_small.png").exists()
