from pathlib import Path

import pytest
from safetensors.torch import save_file
from tests.backbones.tiny_mit import tiny_mit
from tests.end_to_end import worlds
from tests.end_to_end.scored_masks import NAMES, read, save


@pytest.fixture(scope="session")
def clip_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random CLIP; do not change it."""
    return worlds.write_clip(tmp_path_factory.mktemp("clip") / "tiny-clip.safetensors")


@pytest.fixture(scope="session")
def dino_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random DINOv2; do not change it."""
    return worlds.write_dino(tmp_path_factory.mktemp("dino") / "tiny-dino.safetensors")


@pytest.fixture(scope="session")
def mit_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random MiT; do not change it."""
    path = tmp_path_factory.mktemp("mit") / "tiny-mit.safetensors"
    save_file(tiny_mit(), path)
    return path


@pytest.fixture(scope="session")
def afa_changes(voc_world: Path, mit_file: Path) -> list[str]:
    """The configuration of a run of AFA of about two seconds."""
    small = "data.crop_size=64 method.afa.width=16 optim.warmup_steps=1 eval.scale_merge=max"
    phases = "method.afa.classification_only_until=0 method.afa.initial_labels_until=1"
    changes = [each for each in worlds.voc_changes(voc_world, mit_file) if "clip." not in each]
    return [*changes, f"mit.weights={mit_file}", *small.split(), *phases.split()]


@pytest.fixture(scope="session")
def voc_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small VOC folder; do not change it."""
    return worlds.write_voc(tmp_path_factory.mktemp("voc") / "VOC2012")


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory, voc_world: Path, clip_file: Path) -> Path:
    """A finished run of four steps on the VOC folder; do not change it."""
    out = tmp_path_factory.mktemp("runs") / "voc"
    assert worlds.train(out, *worlds.voc_changes(voc_world, clip_file)) == 0
    return out


@pytest.fixture
def truth(voc_world, tmp_path):
    """The true masks of the split as predictions, to be changed."""
    for name in NAMES:
        save(read(voc_world / "SegmentationClass" / f"{name}.png"), tmp_path / f"masks/{name}.png")
    return tmp_path / "masks"
