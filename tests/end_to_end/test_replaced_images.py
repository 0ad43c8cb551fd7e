"""`weclip label --resume` after images were replaced under their names."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.end_to_end import worlds

from weclip.cli import app as cli


@pytest.fixture
def line(tmp_path: Path, clip_file: Path) -> list[str]:
    worlds.write_folder(tmp_path / "photos")
    weights = f"clip.weights={clip_file}"
    return ["label", str(tmp_path / "photos"), weights, "--out", str(tmp_path / "out")]


def masks(tmp_path: Path) -> dict[str, int]:
    return {path.stem: path.stat().st_ino for path in (tmp_path / "out" / "masks").rglob("*.png")}


def sizes(tmp_path: Path) -> dict[str, tuple[int, int]]:
    rows = map(json.loads, (tmp_path / "out" / "manifest.jsonl").open())
    return {Path(row["name"]).stem: (row["width"], row["height"]) for row in rows}


def test_another_image_of_the_same_name_is_labelled_anew(line, tmp_path):
    assert cli.run(line) == 0
    before = masks(tmp_path)
    path = tmp_path / "photos" / "train" / "train_3.jpg"
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(path)
    assert cli.run([*line, "--resume", "--export", "coco"]) == 0
    after = masks(tmp_path)
    assert {name for name in before if before[name] != after[name]} == {"train_3"}
    assert sizes(tmp_path)["train_3"] == (30, 20)
    exported = json.loads((tmp_path / "out" / "coco.json").read_text())["images"]
    assert (30, 20) in {(each["width"], each["height"]) for each in exported}


def test_equal_size_in_bytes_and_time_do_not_deceive(line, tmp_path):
    path = tmp_path / "photos" / "train" / "train_3.jpg"
    assert cli.run(line) == 0
    before, old = masks(tmp_path), path.stat()
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(old.st_atime_ns, old.st_mtime_ns))
    assert cli.run([*line, "--resume"]) == 0
    assert masks(tmp_path)["train_3"] != before["train_3"]


def test_a_copy_on_another_machine_is_the_same_image(line, tmp_path):
    assert cli.run(line) == 0
    before = masks(tmp_path)
    for path in (tmp_path / "photos" / "train").iterdir():
        os.utime(path, (1, 1))
    assert cli.run([*line, "--resume"]) == 0
    assert masks(tmp_path) == before
