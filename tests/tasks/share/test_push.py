"""Models pushed to a hub on this machine, and loaded from it by name."""

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import PureWindowsPath

import pytest
import torch
from huggingface_hub import ModelCard, close_session, constants
from tests.prepare.weights.hub_server import COMMIT
from tests.tasks.share.test_bundle import IMAGE, logits

import weclip
from weclip.cli import app as cli
from weclip.system.errors import WriteError
from weclip.tasks.load.hub import from_hub, hub_errors
from weclip.tasks.share import push as pushing

NAME = "me/boxes"
FRESH = """
import sys, torch
from weclip.tasks.load.model import load_model
with torch.no_grad():
    torch.save(load_model(sys.argv[1]).method(torch.load(sys.argv[2])), sys.argv[3])
"""


@pytest.fixture
def pushed(hub, bundled):
    """The hub, with the bundle in it."""
    weclip.push(bundled, NAME)
    return hub


def refused(said, name=f"hf:{NAME}"):
    with pytest.raises(weclip.InputError) as caught:
        weclip.load(name)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_fresh_process_of_another_user_gets_the_same_bits(hub, run_folder, tmp_path):
    sent = weclip.push(run_folder, NAME, private=True)
    assert sent.repository == NAME
    assert NAME in hub.private
    torch.save(IMAGE, tmp_path / "image.pt")
    environment = os.environ | {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home")}
    given = [f"hf:{NAME}@{sent.commit}", str(tmp_path / "image.pt"), str(tmp_path / "logits.pt")]
    subprocess.run([sys.executable, "-c", FRESH, *given], env=environment, check=True)
    local = weclip.bundle(run_folder, out=tmp_path / "local").out
    assert torch.equal(torch.load(tmp_path / "logits.pt"), logits(local))


def test_the_command_line_and_what_it_says(hub, run_folder, voc_world, tmp_path, capsys):
    assert cli.run(["push", str(run_folder), NAME, "--license", "mit"]) == 0
    out = capsys.readouterr().out
    assert f"{hub.url}/{NAME} at commit {'2' * 40}" in out
    assert f"load it as hf:{NAME}" in out
    line = ["predict", str(voc_world / "JPEGImages"), "--model", f"hf:{NAME}"]
    assert cli.run([*line, "--out", str(tmp_path / "masks")]) == 0
    assert len(list((tmp_path / "masks/masks").iterdir())) == 11
    scored = ["evaluate", str(voc_world), "--model", f"hf:{NAME}", "--out", str(tmp_path / "out")]
    assert cli.run(scored) == 0


def test_the_card_on_the_hub_names_the_repository(hub, run_folder):
    weclip.push(run_folder, NAME, license="apache-2.0")
    card = ModelCard(hub.repositories[NAME]["2" * 40]["README.md"].decode())
    assert card.data.license == "apache-2.0"
    assert f'weclip.load("hf:{NAME}")' in card.text


def test_a_later_push_replaces_and_a_revision_stays(pushed, bundled, run_folder, plus_run):
    first = f"hf:{NAME}@{'2' * 40}"
    assert torch.equal(logits(f"hf:{NAME}"), logits(bundled))
    weclip.push(plus_run, NAME)
    assert "dino.safetensors" in pushed.repositories[NAME]["3" * 40]
    assert not torch.equal(logits(f"hf:{NAME}"), logits(bundled))
    assert torch.equal(logits(first), logits(bundled))
    weclip.push(run_folder, NAME)
    assert "dino.safetensors" not in pushed.repositories[NAME]["4" * 40]


def test_what_was_fetched_is_not_fetched_again(pushed, monkeypatch):
    logits(f"hf:{NAME}")
    pushed.requests.clear()
    logits(f"hf:{NAME}")
    assert {path for _, path in pushed.requests} == {f"{NAME}/resolve/main/run.json"}
    pushed.shutdown()
    pushed.server_close()
    close_session()  # and the connection that is still open
    logits(f"hf:{NAME}")  # without a network, from the cache
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)  # else the hub is tried for 25 s
    shutil.rmtree(constants.HF_HUB_CACHE)
    refused("not on this machine, and the hub cannot be reached")


def test_an_edited_card_is_no_damage(pushed):
    pushed.repositories[NAME]["2" * 40]["README.md"] = b"# Mine"
    assert weclip.load(f"hf:{NAME}")


def test_damaged_on_its_way(pushed):
    pushed.damaged = True
    refused("is damaged or another file")
    pushed.damaged = False
    assert weclip.load(f"hf:{NAME}")


def test_what_the_hub_does_not_have(pushed, monkeypatch):
    refused("there is no such repository, or it is private and you are not logged in", "hf:me/none")
    refused("there is no such revision", f"hf:{NAME}@v9")
    refused("no repository of the hub; write OWNER/NAME", "hf:boxes")
    pushed.repositories["a/b"] = {COMMIT: {"model.safetensors": b"x"}}
    refused("the repository holds no bundle (no run.json)", "hf:a/b")
    pushed.repositories["a/b"] = {COMMIT: {"run.json": b'{"kind": "training"}'}}
    refused("no bundle of weclip", "hf:a/b")
    manifest = json.loads(pushed.repositories[NAME]["2" * 40]["run.json"])
    newer = json.dumps(manifest | {"format": "weclip-bundle-9"}).encode()
    pushed.repositories["a/c"] = {COMMIT: {"run.json": newer}}
    refused("in the format 'weclip-bundle-9', which this version does not know", "hf:a/c")
    pushed.closed.add(NAME)
    refused("its owner wants to be asked first")


def push_refused(said, name=NAME, run=None, **how):
    with pytest.raises(weclip.InputError, match=said):
        weclip.push(run, name, **how)


def test_pushes_that_cannot_be(hub, run_folder, bundled, monkeypatch):
    push_refused("boxes: no repository of the hub; write OWNER/NAME", "boxes", run_folder)
    push_refused("leave out @v1; a push makes a commit", f"{NAME}@v1", run_folder)
    push_refused("is a bundle already, so --precision", run=bundled, precision="float32")
    push_refused(r"you/boxes: refused by the hub \(403", "you/boxes", run_folder)
    weclip.push(bundled, NAME)
    push_refused("is there and public, and --private is asked for", run=bundled, private=True)
    monkeypatch.setenv("HF_TOKEN", "another")
    push_refused(r"refused by the hub \(401", run=run_folder)
    monkeypatch.delenv("HF_TOKEN")
    hub.requests.clear()
    push_refused("nobody is logged in to the hub here; run 'hf auth login'", run=run_folder)
    assert not hub.requests


FOREIGN = {
    "weights": ({"model.safetensors": b"theirs", "sub/adapter.safetensors": b"a"}, "model.safe"),
    "a card": ({"README.md": b"# Mine"}, r"README\.md and no bundle"),
    "a run": ({"run.json": b'{"kind": "training"}', "b": b"", "c": b"", "d": b""}, "and more and"),
}


@pytest.mark.parametrize("held", FOREIGN)
def test_what_is_no_bundle_is_not_replaced(held, hub, bundled):
    files, said = FOREIGN[held]
    hub.repositories[NAME] = {COMMIT: files}
    push_refused(f"{NAME}: holds .*{said}", run=bundled)
    assert hub.repositories[NAME] == {COMMIT: files}
    hub.repositories[NAME] = {COMMIT: {".gitattributes": b""}}
    assert weclip.push(bundled, NAME).commit


def test_other_files_of_the_repository_stay(pushed, run_folder, plus_run):
    own = {"sub/adapter.safetensors": b"a", "LICENSE-mine.txt": b"b"}
    weclip.push(plus_run, NAME)
    pushed.repositories[NAME]["3" * 40].update(own)
    weclip.push(run_folder, NAME)
    last = pushed.repositories[NAME]["4" * 40]
    assert own.items() <= last.items()
    assert "dino.safetensors" not in last


def test_a_commit_of_somebody_else_between_is_not_overwritten(pushed, bundled, monkeypatch):
    def late(folder, names, name, *given, **how):
        pushed.repositories[NAME]["9" * 40] = {"theirs": b""}
        return send(folder, names, name, *given, **how)

    send = pushing._send
    monkeypatch.setattr(pushing, "_send", late)
    push_refused(r"refused by the hub \(412", run=bundled)
    assert pushed.repositories[NAME]["9" * 40] == {"theirs": b""}


def test_a_bundle_of_the_hub_is_pushed_with_card_and_licences(pushed):
    first = pushed.repositories[NAME]["2" * 40]
    weclip.push(f"hf:{NAME}", "me/again")
    assert pushed.repositories["me/again"]["2" * 40] == first
    assert {"README.md", "LICENSES.md"} < first.keys()
    del first["LICENSES.md"]
    shutil.rmtree(constants.HF_HUB_CACHE)
    push_refused(r"its LICENSES\.md is missing there", "me/third", f"hf:{NAME}")
    assert weclip.load(f"hf:{NAME}")  # which needs the weights only


@pytest.mark.parametrize("name", ["README.md", "LICENSES.md"])
def test_a_bundle_without_its_card_is_not_sent(name, hub, bundled, tmp_path):
    copy = shutil.copytree(bundled, tmp_path / "copy")
    (copy / name).unlink()
    push_refused(f"its {name} is missing", run=copy)
    assert not hub.repositories


def test_a_name_of_the_hub_on_windows(pushed):
    found = from_hub(PureWindowsPath(f"hf:{NAME}"))
    assert (found / "run.json").is_file()


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (OSError(errno.ENOSPC, "No space left", "/cache"), WriteError, "No space left"),
        (PermissionError(errno.EACCES, "Permission denied"), WriteError, "Permission denied"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), weclip.InputError, "be reached"),
    ],
)
def test_a_full_disk_is_not_called_a_hub_that_cannot_be_reached(error, kind, said):
    with pytest.raises(kind, match=said), hub_errors(NAME):
        raise error


def test_a_push_without_a_network(hub, run_folder):
    hub.shutdown()
    hub.server_close()
    push_refused("me/boxes: the hub cannot be reached", run=run_folder)


def test_a_damaged_bundle_is_not_sent(hub, bundled, tmp_path):
    copy = shutil.copytree(bundled, tmp_path / "copy")
    (copy / "clip.safetensors").write_bytes(b"")
    push_refused("its clip.safetensors is damaged or another", run=copy)
    assert not hub.repositories
