from pathlib import Path

import pytest
from tests.end_to_end.conftest import clip_file, dino_file, mit_file
from tests.tasks.reproduce import worlds

from weclip.cli import app as cli

__all__ = ["clip_file", "dino_file", "mit_file"]


@pytest.fixture(scope="session")
def voc_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with a tiny VOC; do not change it."""
    return worlds.write_voc(tmp_path_factory.mktemp("reproduce") / "data")


@pytest.fixture(scope="session")
def coco_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with a tiny COCO; do not change it."""
    return worlds.write_coco(tmp_path_factory.mktemp("reproduce") / "data")


@pytest.fixture
def reproduce(clip_file):
    """`weclip reproduce NAME` in this process, on the tiny CLIP; its exit code."""

    def run(name: str, root: Path, out: Path, *more: str) -> int:
        given = ["--root", str(root), "--out", str(out), f"clip.weights={clip_file}"]
        return cli.run(["reproduce", name, *given, *worlds.quick(name), *more])

    return run
