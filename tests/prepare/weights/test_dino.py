"""DINOv2 by name, from servers on this machine: fetched once, checked, and said where not."""

import json
import re
from pathlib import Path

import pytest
from huggingface_hub import constants
from safetensors.torch import save
from tests.backbones.tiny_dino import HUGGING_FACE, PROCESSOR, tiny_dino, to_hugging_face
from tests.prepare.weights.hub_server import COMMIT

from weclip.backbones.dino.weights import load_dino
from weclip.prepare.sources import PUBLISHED
from weclip.prepare.weights.by_name import find_dino, pinned
from weclip.prepare.weights.published import DINO
from weclip.system.errors import InputError

NAME = "facebook/dinov2-tiny"


@pytest.fixture
def published(own_hub):
    """A tiny DINOv2 in a repository like Meta's, with a file that is not for us."""
    files = {
        "model.safetensors": save(to_hugging_face(tiny_dino())),
        "pytorch_model.bin": b"x",
        "config.json": json.dumps(HUGGING_FACE).encode(),
        "preprocessor_config.json": json.dumps(PROCESSOR).encode(),
    }
    own_hub.repositories[NAME] = {COMMIT: files}
    return own_hub


def test_a_repository_of_the_hub(published):
    folder = find_dino(NAME)
    names = ["config.json", "model.safetensors", "preprocessor_config.json"]
    assert sorted(file.name for file in folder.iterdir()) == names
    assert load_dino(folder).image.width == 128
    assert pinned(NAME, folder) == f"{NAME}@{COMMIT}"
    published.requests = []
    assert find_dino(NAME) == find_dino(f"{NAME}@{COMMIT}") == folder
    assert not published.requests


def test_the_command_that_fetches(published, cli_run, tmp_path, capsys):
    root = tmp_path / "weights"
    assert cli_run(["prepare", "dino", "--name", NAME, "--root", str(root)]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert load_dino(root / "dinov2-tiny")
    assert f"CLIP's weights are not there yet: weclip prepare clip --root {root}" in shown
    assert shown[-1].endswith(f"dino.weights={root}/dinov2-tiny --out runs/voc-plus")


def test_what_the_hub_does_not_have(published):
    message = (
        "facebook/none: neither a file or folder here .* path of DINOv2 weights, dinov2_vits14,"
    )
    with pytest.raises(InputError, match=message):
        find_dino("facebook/none")


def test_a_published_file_by_name(own_hub, server, table, hasty):
    found = find_dino("dinov2_vitb14_reg", sources=table, patience=hasty)
    assert found == Path(constants.HF_ASSETS_CACHE, "weclip/dino/meta", found.name)
    assert found.read_bytes() == server.files["/dinov2_vitb14_reg4_pretrain.pth"]
    asked = len(server.requests)
    assert find_dino("dinov2_vitb14_reg", sources=table, patience=hasty) == found
    assert len(server.requests) == asked
    assert pinned("dinov2_vitb14_reg", found) == "dinov2_vitb14_reg"


def test_another_file_under_the_name(own_hub, server, table, hasty):
    server.files["/dinov2_vits14_pretrain.pth"] = b"another file"
    with pytest.raises(InputError, match=r"dinov2_vits14: not on this .*wrong checksum, twice"):
        find_dino("dinov2_vits14", sources=table, patience=hasty)
    assert not list(Path(constants.HF_ASSETS_CACHE).rglob("*.pth"))


@pytest.mark.parametrize(
    ("given", "command"),
    [
        (
            "dinov2_vits14_reg",
            "weclip prepare dino --name dinov2_vits14_reg --root weights, then "
            "dino.weights=weights/dinov2_vits14_reg4_pretrain.pth",
        ),
        (
            "facebook/dinov2-base",
            "weclip prepare dino --name facebook/dinov2-base --root weights, then "
            "dino.weights=weights/dinov2-base",
        ),
    ],
)
def test_without_a_network(own_hub, server, table, hasty, given, command):
    own_hub.shutdown()
    own_hub.server_close()
    server.files.clear()
    with pytest.raises(InputError, match=re.escape(f"where there is a network: {command}")):
        find_dino(given, sources=table, patience=hasty)


def test_a_path_that_is_there_wins(published, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("dinov2_vits14").mkdir()
    assert find_dino("dinov2_vits14") == Path("dinov2_vits14")
    assert find_dino("weights/dino.pth") == Path("weights/dino.pth")
    assert not published.requests


def test_addresses_are_those_of_torch_hub():
    base = "https://dl.fbaipublicfiles.com/dinov2"
    urls = [PUBLISHED[name].urls for name in DINO.names[::3]]
    assert urls == [
        (f"{base}/dinov2_vits14/dinov2_vits14_pretrain.pth",),
        (f"{base}/dinov2_vits14/dinov2_vits14_reg4_pretrain.pth",),
    ]
    digests = {PUBLISHED[name].checksum for name in DINO.names}
    assert len(digests) == 6
    assert all(re.fullmatch("sha256:[0-9a-f]{64}", digest) for digest in digests)
