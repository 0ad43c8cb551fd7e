"""Weights that cut images are named in model files, and others are refused."""

import json
from pathlib import Path

import pytest
from tests.end_to_end.test_retrieval import changes, said, train

from weclip.cli import app as cli
from weclip.system.files import sha256_of
from weclip.training.model_file import read_model_file

__all__ = ["changes"]
PLUGIN = '''
"""Halves of images, by "weights" that are any file."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from weclip.labels.regions.regions import Regions
from weclip.parts import region_source, setting
from weclip.system.files import sha256_of


@region_source("halves")
@dataclass(frozen=True, kw_only=True)
class Halves:
    """Halves."""

    reads: ClassVar = ()
    saw_human_masks: ClassVar = True
    weights: str | None = setting(None, source="ours")

    def open(self):
        """Their digest."""
        return sha256_of(Path(self.weights))

    def __call__(self, image, guide):
        """Left and right."""
        ids = np.ones(image.shape[:2], np.int32)
        ids[:, ids.shape[1] // 2 :] = 2
        return Regions(ids)
'''


@pytest.fixture(scope="module")
def place(changes: list[str], voc_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a plugin, weights, and a run of retrieval by them."""
    place = tmp_path_factory.mktemp("halves")
    (place / "halves.py").write_text(PLUGIN)
    (place / "a.bin").write_bytes(b"a")
    (place / "b.bin").write_bytes(b"b")
    masks = f"method.retrieval.masks={voc_world / 'SegmentationClass'}"
    more = ["regions.source=halves", f"regions.halves.weights={place / 'a.bin'}"]
    plugin = ["--plugin", str(place / "halves.py")]
    assert train(place / "run", *changes, masks, *more, *plugin) == 0
    return place


def test_they_are_named_in_the_model_file_and_in_records(place):
    wanted = sha256_of(place / "a.bin")
    named = read_model_file(place / "run" / "model.safetensors").backbones
    assert [*named] == ["dino", "regions"]
    assert (named["regions"].name, named["regions"].sha256) == ("halves", wanted)
    record = json.loads((place / "run" / "run.json").read_text())["regions"]
    assert (record["source"], record["sha256"], record["saw_human_masks"]) == (
        "halves",
        wanted,
        True,
    )


def test_others_are_refused_but_another_source_is_the_users_choice(place, voc_world, capsys):
    image = str(voc_world / "JPEGImages" / "val_8.png")
    line = ["predict", image, "--model", str(place / "run"), "--plugin", str(place / "halves.py")]
    other = [f"regions.halves.weights={place / 'b.bin'}", "--out", str(place / "masks")]
    assert cli.run([*line, *other]) == 2
    refused = said(capsys)
    assert "was trained with regions of halves (SHA-256 " in refused
    assert "give the right ones with regions.halves.weights=PATH" in refused
    for name, more in (("one", []), ("two", ["regions.source=superpixels"])):
        assert cli.run([*line, *more, "--out", str(place / name)]) == 0
    record = json.loads((place / "one" / "run.json").read_text())["regions"]
    assert record["sha256"] == sha256_of(place / "a.bin")
    assert json.loads((place / "two" / "run.json").read_text())["regions"]["sha256"] is None
