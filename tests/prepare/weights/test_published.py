"""The command that puts published weights of CLIP and DINOv2 into a folder, from a local server."""

import shlex

import pytest
from tests.prepare.builders import WEIGHTS

from weclip.config_file import load_config
from weclip.prepare.weights.published import DINO


@pytest.mark.parametrize("name", ["ViT-B/16", "ViT-L/14"])
def test_clip(prepare, tmp_path, name):
    root = tmp_path / "with space"
    line = prepare("clip", root, name=name)
    path = root / {"ViT-B/16": "ViT-B-16.pt", "ViT-L/14": "ViT-L-14.pt"}[name]
    assert path.read_bytes() == (WEIGHTS if name == "ViT-B/16" else WEIGHTS[::-1])
    assert [p.name for p in root.iterdir()] == [path.name]
    program, subcommand, option, preset, *changes = shlex.split(line)
    assert (program, subcommand, option, preset) == ("weclip", "train", "--config", "voc")
    config = load_config(preset, changes[:-2])
    assert config.clip.weights == str(path)
    (root / "MSCOCO").mkdir()
    assert "--config coco" in prepare("clip", root, name=name)


@pytest.mark.parametrize("name", DINO.names)
def test_dino(prepare, tmp_path, name):
    root = tmp_path / "with space"
    line = prepare("dino", root, name=name)
    size, _, registers = name.removeprefix("dinov2_vit").partition("_")
    file = f"dinov2_vit{size}_{'reg4_' if registers else ''}pretrain.pth"
    assert (root / file).read_bytes() == f"{name} ".encode() * 1000
    assert [path.name for path in root.iterdir()] == [file]
    assert shlex.split(line) == [
        *("weclip", "train", "--config", "voc-plus", f"data.root={root}/VOCdevkit/VOC2012"),
        *(f"clip.weights={root}/ViT-B-16.pt", f"dino.weights={root / file}"),
        *("--out", "runs/voc-plus"),
    ]
    (root / "MSCOCO").mkdir()
    (root / "ViT-L-14.pt").touch()
    line = prepare("dino", root, name=name)
    assert "--config coco-plus" in line
    assert f"clip.weights={root}/ViT-L-14.pt" in line


def test_the_usual_weights_are_the_smallest(prepare, tmp_path):
    prepare("clip", tmp_path / "weights")
    prepare("dino", tmp_path / "weights")
    names = {"ViT-B-16.pt", "dinov2_vits14_pretrain.pth"}
    assert {path.name for path in (tmp_path / "weights").iterdir()} == names
