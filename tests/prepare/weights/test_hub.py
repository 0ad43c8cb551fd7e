"""CLIP by name, from a hub on this machine: fetched once, checked, pinned, and said where not."""

import re
import shutil
from pathlib import Path

import pytest
from huggingface_hub import constants
from tests.prepare.weights.hub_server import COMMIT, LATER

from weclip.backbones.clip.weights import load_clip
from weclip.prepare.weights import hub
from weclip.prepare.weights.by_name import find_clip, pinned
from weclip.prepare.weights.hub import Repository, fetch, repository_of, wanted_files
from weclip.prepare.weights.published import CLIP
from weclip.system.errors import InputError
from weclip.system.files import sha256_of

NAME = "laion/CLIP-tiny"


@pytest.fixture
def published(own_hub, demo_clip_file):
    """The demo's CLIP in a repository, with files that are not for us."""
    content = demo_clip_file.read_bytes()
    files = {"model.safetensors": content, "pytorch_model.bin": b"x", "run.py": b"print()"}
    own_hub.repositories[NAME] = {COMMIT: files}
    return own_hub


def asked(server):
    """Requests since the last call."""
    requests, server.requests = server.requests, []
    return requests


def test_only_what_is_read_is_fetched_and_only_once(published):
    folder = find_clip(NAME)
    assert sorted(file.name for file in folder.iterdir()) == ["model.safetensors"]
    assert load_clip(folder).sha256 == sha256_of(folder / "model.safetensors")
    assert asked(published)
    assert find_clip(NAME) == folder
    assert find_clip(f"{NAME}@{COMMIT}") == folder
    assert not asked(published)


def test_the_commit_is_kept(published):
    name = pinned(NAME, find_clip(NAME))
    assert name == f"{NAME}@{COMMIT}"
    later = {"model.safetensors": b"another"}
    published.repositories[NAME][LATER] = later
    shutil.rmtree(constants.HF_HUB_CACHE)
    assert find_clip(name).name == COMMIT
    assert find_clip(NAME).name == LATER
    assert find_clip(name).name == COMMIT


def test_a_path_that_is_there_wins(published, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path(NAME).mkdir(parents=True)
    assert find_clip(NAME) == Path(NAME)
    assert pinned(NAME, Path(NAME)) == NAME
    assert not asked(published)


def test_damaged_on_its_way(published):
    published.damaged = True
    for _ in range(2):  # nothing of it is taken for whole
        with pytest.raises(InputError, match=r"model\.safetensors: damaged on its way .*run again"):
            find_clip(NAME)
    published.damaged = False
    assert load_clip(find_clip(NAME))


def test_what_the_hub_does_not_have(published):
    with pytest.raises(InputError, match=r"laion/none: neither a file .* CLIP weights, ViT-B/16"):
        find_clip("laion/none")
    with pytest.raises(InputError, match="@v2: there is no such revision"):
        find_clip(f"{NAME}@v2")
    published.closed.add(NAME)
    with pytest.raises(InputError, match="its owner wants to be asked first"):
        find_clip(NAME)
    published.repositories["a/b"] = {COMMIT: {"config.json": b"{}"}}
    with pytest.raises(InputError, match=r"a/b: no weights in it; expected model\.safe"):
        find_clip("a/b")


def test_without_a_network(published):
    published.shutdown()
    published.server_close()
    command = "weclip prepare clip --name laion/CLIP-other --root weights, then clip.weights="
    with pytest.raises(InputError, match=re.escape(f"{command}weights/CLIP-other")):
        find_clip("laion/CLIP-other")


def test_the_command_that_fetches(published, cli_run, tmp_path, capsys):
    root = tmp_path / "weights"
    assert cli_run(["prepare", "clip", "--name", NAME, "--root", str(root)]) == 0
    assert load_clip(root / "CLIP-tiny")
    assert f"clip.weights={root / 'CLIP-tiny'}" in capsys.readouterr().out


def test_parts_and_their_index():
    parts = [f"model-0000{i}-of-00002.safetensors" for i in (1, 2)]
    files = ["config.json", "model.safetensors.index.json", *parts, "other-00001-of-00001.bin"]
    assert wanted_files(files, NAME) == [files[1], *parts, "config.json"]


@pytest.mark.parametrize(
    "text",
    ["ViT-B-16.pt", "weights/ViT-B-16.pt", "/a/b", "a/b/c", "./a/b", "../b", "~/b", "a", "a/"],
)
def test_what_can_only_be_a_path(text):
    assert repository_of(text) is None
    assert find_clip(text) == Path(text)


def test_files_go_where_they_are_wanted(published, tmp_path):
    assert fetch(Repository(NAME), CLIP, into=tmp_path / "here") == tmp_path / "here"
    assert (tmp_path / "here" / "model.safetensors").is_file()
    assert hub.cached(Repository(NAME)) is None
