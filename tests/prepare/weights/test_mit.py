"""MiT by name, from a hub on this machine: its licence is told, then it is fetched once."""

import io
import json
import shlex

import pytest
import torch
from rich.console import Console
from tests.backbones.tiny_mit import HUGGING_FACE, PROCESSOR, tiny_mit, to_hugging_face
from tests.prepare.weights.hub_server import COMMIT

from weclip.backbones.mit.weights import read_mit
from weclip.prepare.weights.by_name import find_mit, pinned
from weclip.prepare.weights.published import MIT
from weclip.system.errors import InputError

NAME = "nvidia/mit-b1"


@pytest.fixture
def published(own_hub):
    """A tiny MiT in a repository like NVIDIA's."""
    state = {f"segformer.encoder.{k}": v for k, v in to_hugging_face(tiny_mit()).items()}
    state["classifier.weight"] = torch.zeros(1000, 64)
    buffer = io.BytesIO()
    torch.save(state, buffer)
    own_hub.repositories[NAME] = {
        COMMIT: {
            "pytorch_model.bin": buffer.getvalue(),
            "tf_model.h5": b"x",
            "config.json": json.dumps(HUGGING_FACE).encode(),
            "preprocessor_config.json": json.dumps(PROCESSOR).encode(),
        }
    }
    return own_hub


def test_by_its_name(published, monkeypatch, tmp_path):
    told = io.StringIO()
    folder = find_mit(NAME, console=Console(file=told, width=400))
    licence, fetching = told.getvalue().splitlines()
    assert "allows no commercial use, of works derived from them neither: https://" in licence
    assert fetching.startswith(f"fetching {NAME} (")
    names = ["config.json", "preprocessor_config.json", "pytorch_model.bin"]
    assert sorted(file.name for file in folder.iterdir()) == names
    assert read_mit(folder).settings.widths == (16, 32, 40, 64)
    assert pinned(NAME, folder) == f"{NAME}@{COMMIT}"
    published.requests = []
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nvidia").mkdir()  # a folder of that name hides no published one
    assert find_mit(NAME) == folder
    assert not published.requests


def test_the_command_that_fetches(published, cli_run, tmp_path, capsys):
    root = tmp_path / "weights"
    assert cli_run(["prepare", "mit", "--root", str(root)]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == MIT.notice
    assert read_mit(root / "mit-b1")
    assert shlex.split(shown[-1]) == [
        *("weclip", "train", "--config", "voc-afa", f"data.root={root}/VOCdevkit/VOC2012"),
        *(f"mit.weights={root}/mit-b1", "--out", "runs/voc-afa"),
    ]
    assert not any("CLIP" in line for line in shown)


def test_what_the_hub_does_not_have(own_hub):
    message = "nvidia/none: neither a file or folder here .* path of MiT weights, nvidia/mit-b1,"
    with pytest.raises(InputError, match=message):
        find_mit("nvidia/none")


def test_without_a_network(own_hub):
    own_hub.shutdown()
    own_hub.server_close()
    command = f"weclip prepare mit --name {NAME} --root weights, then mit.weights=weights/mit-b1"
    with pytest.raises(InputError, match=command):
        find_mit(NAME)
