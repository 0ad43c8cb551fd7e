"""Runs to be shared, and a hub on this machine that takes them."""

import pytest
from huggingface_hub import constants
from tests.end_to_end.conftest import clip_file, dino_file, run_folder, voc_world
from tests.end_to_end.worlds import train, voc_changes
from tests.prepare.weights.conftest import own_hub
from tests.prepare.weights.hub_server import TOKEN

import weclip

__all__ = ["clip_file", "dino_file", "own_hub", "run_folder", "voc_world"]


@pytest.fixture(scope="session")
def plus_run(tmp_path_factory, voc_world, clip_file, dino_file):
    """A finished run of WeCLIP+; do not change it."""
    out = tmp_path_factory.mktemp("runs") / "plus"
    changes = [*voc_changes(voc_world, clip_file), f"dino.weights={dino_file}"]
    assert train(out, *changes, config="voc-plus") == 0
    return out


@pytest.fixture(scope="session")
def bundled(run_folder, tmp_path_factory):
    """A bundle of `run_folder`; do not change it."""
    return weclip.bundle(run_folder, out=tmp_path_factory.mktemp("bundles") / "model").out


@pytest.fixture
def hub(own_hub, monkeypatch):
    """A hub where who runs the test is logged in as `me`; files go the plain way."""
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    return own_hub
