"""Model files and checkpoints: any header and any tensors are read, or refused in one line."""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save
from tests.fuzz import programs
from tests.fuzz.budget import damaged, fuzz
from tests.fuzz.documents import VALUES, changed
from tests.methods.tiny_weclip import tiny_weclip
from tests.training.tiny_run import make_trainer

from weclip.backbones.named import FrozenBackbone
from weclip.build.method import load_trained
from weclip.data.classes import ClassList
from weclip.training.checkpoint import MAGIC, load_checkpoint, step_path
from weclip.training.model_file import ModelFile, read_model_file, save_model_file

CLASSES = ClassList(
    ("cat", "Bär"), (("cat",), ("a bear", "Bär")), ("grass",), ((1, 2, 3), (4, 5, 6))
)
KINDS = (torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.bool, torch.complex64)
BROKEN = (float("nan"), float("inf"), -float("inf"), 1e38)


@pytest.fixture
def model(tmp_path) -> Path:
    clip = FrozenBackbone("ViT-B-16.pt", "ab" * 32, "image quick_gelu")
    trained = tiny_weclip().trained.state_dict()
    path = tmp_path / "whole.safetensors"
    save_model_file(path, ModelFile(trained, "data: {}\n", CLASSES, {"clip": clip}, 30))
    return path


def other_models(path: Path) -> Callable[[Random], bytes]:
    """Makes files like this one."""
    content = path.read_bytes()
    with safe_open(path, "pt") as file:
        header = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118

    def make(rng: Random) -> bytes:
        if rng.random() < 0.3:
            return damaged(rng, content, (b'"__metadata__"', b'"dtype":"F8_E4M3"', b"[0,0]"))
        texts = dict(header)
        for key in rng.sample(sorted(texts), rng.randint(0, 2)):
            texts[key] = other_text(rng, key, texts[key])
        state = dict(tensors)
        if rng.random() < 0.3:
            name = rng.choice(sorted(state))
            state[name] = other_tensor(rng, state.pop(name))
        if rng.random() < 0.1:
            state[rng.choice(("x" * 5000, "\x1b[2J", "a", ""))] = torch.zeros(2)
        return save(state, texts)

    return make


def other_text(rng: Random, key: str, text: str) -> str:
    """A field of the header, with another meaning or with none."""
    if key in ("classes", "backbones") and rng.random() < 0.8:
        texts = tuple(v for v in VALUES if v != "\ud800")  # the file is in UTF-8
        return json.dumps(changed(rng, json.loads(text), texts))
    choices = ("", "-1", "1e3", "9" * 5000, "[" * 5000, "{}", "null", "nan", "weclip-1", "\x1b[2J")
    return rng.choice((*choices, damaged(rng, text.encode()).decode(errors="replace")))


def other_tensor(rng: Random, tensor: torch.Tensor) -> torch.Tensor:
    """A tensor of another type or shape, or with broken numbers."""
    match rng.randrange(3):
        case 0:
            return tensor.to(rng.choice(KINDS))
        case 1:
            return rng.choice((tensor[None], tensor.flatten()[:0], tensor.flatten(), tensor[:1]))
        case _:
            broken = tensor.clone()
            broken.view(-1)[0] = rng.choice(BROKEN)
            return broken


@pytest.mark.long
def test_any_model_file_is_read_or_refused(tmp_path, model):
    path, method = tmp_path / "model.safetensors", tiny_weclip()

    def read(content: bytes) -> None:
        path.write_bytes(content)
        found = read_model_file(path)
        assert len(found.classes.names) < 255
        assert all(each.isfinite().all() for each in found.trained.values())
        load_trained(method, found.trained, path)

    results = fuzz(other_models(model), read)
    assert results["read"] > 10


def other_checkpoints(whole: bytes) -> Callable[[Random], bytes]:
    """Makes files with a right checksum and another content."""
    archive = whole.partition(b"\n")[2]
    with zipfile.ZipFile(io.BytesIO(archive)) as old:
        members = [(info.filename, old.read(info)) for info in old.infolist()]

    def make(rng: Random) -> bytes:
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as new:
            for name, inner in members:
                if name.endswith("data.pkl"):
                    honest = rng.random() < 0.7
                    inner = damaged(rng, inner, PIECES) if honest else programs.program(rng)
                if rng.random() < 0.99:
                    new.writestr(name, inner)
        body = content.getvalue() if rng.random() < 0.8 else damaged(rng, content.getvalue())
        return MAGIC + hashlib.sha256(body).hexdigest().encode() + b"\n" + body

    return make


PIECES = (b"K\x07", b"N", b"}", b"]", b"h\x05", b"X\x01\0\0\0a", b"G?\xf0\0\0\0\0\0\0", b"\x88")


@pytest.mark.long
def test_any_checkpoint_is_read_or_refused(tmp_path):
    trainer = make_trainer(tmp_path)
    trainer.save()
    whole = step_path(tmp_path / "checkpoints", 0).read_bytes()
    path = tmp_path / "other.ckpt"

    def read(content: bytes) -> None:
        path.write_bytes(content)
        load_checkpoint(path)

    results = fuzz(other_checkpoints(whole), read)
    assert results["read"] > 10
