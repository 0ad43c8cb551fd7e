"""What the commands do, called from Python: without a console nothing is printed."""

from pathlib import Path

import pytest
from tests.end_to_end import worlds

from weclip.config_file import load_config
from weclip.tasks.check import check
from weclip.tasks.evaluate.masks import evaluate_masks
from weclip.tasks.evaluate.model import evaluate
from weclip.tasks.label.run import LabelOptions, label
from weclip.tasks.load import ModelAt
from weclip.tasks.predict import predict
from weclip.tasks.tag.run import tag
from weclip.tasks.train.run import train


@pytest.fixture
def config(tmp_path: Path):
    world = worlds.write_voc(tmp_path / "world")
    clip = worlds.write_clip(tmp_path / "clip.safetensors")
    return load_config("voc", worlds.voc_changes(world, clip))


def test_every_task_is_silent(config, tmp_path, capfd):
    assert check(config) in (0, 1)
    model = train(config, tmp_path / "run")
    assert model == tmp_path / "run" / "model.safetensors"
    images = [str(path) for path in Path(config.data.root).glob("JPEGImages/*")]
    assert predict(ModelAt(model), images, tmp_path / "masks").count == len(images)
    records = evaluate(ModelAt(tmp_path / "run"), tmp_path / "scores")
    assert 0 <= records["Segmentation"]["miou"] <= 1
    folder = str(tmp_path / "masks" / "masks")
    assert evaluate_masks([folder], config, tmp_path / "compared")
    labelled = label(config, tmp_path / "labels", LabelOptions())
    assert labelled == len(list((tmp_path / "labels" / "masks").rglob("*.png")))
    assert tag(config, tmp_path / "tags.csv") > 0
    assert capfd.readouterr() == ("", "")
