"""Every example of `docs/python.md` runs, and the three ways to change a key are one."""

import logging
import re
import shutil

import numpy as np
import pytest
from PIL import Image
from tests.end_to_end import worlds
from tests.test_layout import ROOT

import weclip
from weclip.tasks.public import train as module

PAGE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with what the page takes for granted."""
    monkeypatch.chdir(tmp_path)
    photos = worlds.write_folder(tmp_path / "photos")
    worlds.write_clip(tmp_path / "ViT-B-16.pt")
    weclip.train(photos, clip="ViT-B-16.pt", out="runs/photos", overrides=[*worlds.SMALL, VAL])
    shutil.copy(next(photos.glob("val/*.jpg")), "photo.jpg")
    for name in ("masks", "others"):
        shutil.copytree(photos / "masks", name)


VAL = "data.eval_split=val"


def test_every_example_runs(place, monkeypatch):
    level, steps = logging.getLogger("weclip").level, []

    def stop(config, out, **how):
        steps.append(config.train.steps)
        raise KeyboardInterrupt

    names = {"weclip": weclip}
    with monkeypatch.context() as patch:
        patch.setattr(module, "run", stop)
        for line in BLOCKS[0].splitlines():
            with pytest.raises(KeyboardInterrupt):
                exec(line, names)
    assert steps == [300, 300, 300]
    for block in BLOCKS[1:]:
        exec(block, names)
    logging.getLogger("weclip").setLevel(level)
    assert isinstance(names["found"], weclip.Segmentation)
    with Image.open("photo.jpg") as image:
        assert np.asarray(names["model"].predict("photo.jpg")).shape == image.size[::-1]


def test_every_public_function_is_on_the_page():
    functions = [name for name in weclip.__all__ if name.islower() and name != "__version__"]
    missing = [name for name in functions if f"weclip.{name}(" not in PAGE]
    assert missing == ["load_config"]
