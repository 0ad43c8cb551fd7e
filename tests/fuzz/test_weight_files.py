"""Weight files: any bytes are tensors no larger than the file allows, or one line."""

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from random import Random

import pytest
import torch
from safetensors.torch import load_file, save
from tests.backbones.tiny_clip import module_tree, to_hugging_face
from tests.end_to_end import worlds
from tests.fuzz import programs
from tests.fuzz.budget import damaged, fuzz

from weclip.backbones.clip.weights import load_clip
from weclip.backbones.weight_files.stored import SHARED
from weclip.backbones.weight_files.tensors import read_tensors

STATE = {
    "a.weight": torch.ones(2, 3),
    "a.bias": torch.zeros(3).half(),
    "count": torch.tensor(3),
    "mask": torch.ones(2, dtype=torch.bool),
}


@cache
def honest() -> dict[str, bytes]:
    """The same tensors in each format."""
    kept = {}
    for name, options in {"zip": {}, "old": {"_use_new_zipfile_serialization": False}}.items():
        buffer = io.BytesIO()
        torch.save({"state_dict": STATE, "epoch": 3}, buffer, **options)
        kept[name] = buffer.getvalue()
    script = io.BytesIO()
    torch.jit.save(torch.jit.script(module_tree(STATE)), script)
    return kept | {"script": script.getvalue(), "safetensors": save(STATE)}


def changed_zip(rng: Random, content: bytes) -> bytes:
    """A whole zip whose members are damaged, renamed, compressed or there twice."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w") as new:
        for info in old.infolist():
            inner = old.read(info)
            if info.filename.endswith("data.pkl") and rng.random() < 0.9:
                inner = programs.program(rng) if rng.random() < 0.3 else damaged(rng, inner, PIECES)
            if rng.random() < 0.05:
                continue
            name = info.filename if rng.random() < 0.95 else rng.choice(MEMBERS)
            kind = zipfile.ZIP_DEFLATED if rng.random() < 0.05 else zipfile.ZIP_STORED
            for _ in range(2 if rng.random() < 0.02 else 1):
                new.writestr(zipfile.ZipInfo(name), inner, kind)
    return buffer.getvalue()


PIECES = (b"ctorch\nFloatStorage\n", b"K\x02\x85", b"(t", b"R", b"tQ", b"h\x03", b"X\x01\0\0\x000")
MEMBERS = ("a/data.pkl", "../x", "/etc/x", "archive/data/0", "archive/code/x", "x" * 300, "")


def changed_header(rng: Random, content: bytes) -> bytes:
    """A safetensors file whose header says something else."""
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    for name in rng.sample(sorted(header), rng.randint(1, 2)):
        field = rng.choice(("dtype", "shape", "data_offsets", "more"))
        if isinstance(header[name], dict):
            header[name][field] = rng.choice(VALUES)
    text = json.dumps(header).encode()
    claimed = len(text) if rng.random() < 0.9 else rng.choice((0, 1, 2**31, 2**40, 2**63))
    return claimed.to_bytes(8, "little") + text + content[8 + size :]


VALUES = (
    "F32", "F8_E4M3", "I64", "BOOL", "C64", "F4", "BF16", "", None, [], [0], [2, 3], [-1], [2**62],
    [2**32, 2**32], [0, 0], [0, 24], [0, 2**63], [24, 0], [1.5], "x" * 1000, {}, [[]], [0] * 1000,
)  # fmt: skip


def written(rng: Random, kinds: Callable[[], dict[str, bytes]]) -> bytes:
    """A file of one of the kinds, damaged in its bytes or in what they mean."""
    name, content = rng.choice(sorted(kinds().items()))
    if name in ("zip", "script") and rng.random() < 0.6:
        return changed_zip(rng, content)
    if name == "safetensors" and rng.random() < 0.6:
        return changed_header(rng, content)
    if name == "old" and rng.random() < 0.3:
        parts = [pickle.dumps(each, 2) for each in (0x1950A86A20F9469CFC6C, 1001)]
        machine = pickle.dumps({"little_endian": True}, 2)
        return b"".join(parts) + machine + programs.program(rng) + content[-200:]
    return content if rng.random() < 0.05 else damaged(rng, content, PIECES)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:Duplicate name", "ignore::DeprecationWarning")
def test_any_file_is_read_or_refused(tmp_path):
    path = tmp_path / "weights"

    def read(content: bytes) -> None:
        path.write_bytes(content)
        tensors = read_tensors(path)
        taken = sum(each.numel() * each.element_size() for each in tensors.values())
        assert taken <= SHARED * len(content)

    results = fuzz(partial(written, kinds=honest), read)
    assert results["read"] > 10


@cache
def clips(folder: Path) -> tuple[bytes, bytes]:
    """A whole small CLIP, in the names of OpenAI and of Transformers."""
    file = worlds.write_clip(folder / "clip.safetensors")
    return file.read_bytes(), save(to_hugging_face(load_file(file)))


@pytest.mark.long
def test_any_clip_is_read_or_refused(tmp_path):
    path = tmp_path / "weights"

    def read(content: bytes) -> None:
        path.write_bytes(content)
        load_clip(path)

    def small(rng: Random) -> bytes:
        return other_sizes(rng, rng.choice(clips(tmp_path)))

    results = fuzz(small, read)
    assert results["read"] > 2


def other_sizes(rng: Random, content: bytes) -> bytes:
    """A CLIP whose tensors have other names, types or shapes; a whole safetensors file."""
    size = int.from_bytes(content[:8], "little")
    header, numbers = json.loads(content[8 : 8 + size]), content[8 + size :]
    entries = {
        name: (each["dtype"], each["shape"], numbers[slice(*each["data_offsets"])])
        for name, each in header.items()
        if name != "__metadata__"
    }
    for name in rng.sample(sorted(entries), rng.randint(1, 3)):
        dtype, shape, own = entries[name]
        match rng.randrange(6):
            case 0:
                entries[rng.choice(OTHERS)] = entries.pop(name)
            case 1:
                entries[name] = dtype, rng.choice(([1, *shape], shape[::-1])), own
            case 2:
                entries[name] = dtype, rng.choice(EMPTY), b""
            case 3:
                entries[name] = rng.choice(("I32", "U32", "F32")), shape, own
            case 4:
                entries[name] = dtype, shape, rng.choice((b"\xff", b"\0")) * len(own)
            case _:
                del entries[name]
    start, described = 0, {}
    for name, (dtype, shape, own) in entries.items():
        end = start + len(own)
        described[name] = {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}
        start = end
    text = json.dumps(described).encode()
    return len(text).to_bytes(8, "little") + text + b"".join(own for *_, own in entries.values())


EMPTY = ([0], [0, 0], [2**31, 0], [0, 3, 8, 8], [2**40, 0, 3, 3], [0, 64], [0, 16], [2**20, 0])
OTHERS = (
    "visual.transformer.resblocks.99999999999999999999.ln_1.weight",
    "transformer.resblocks.-1.ln_1.weight",
    "transformer.resblocks.٣.ln_1.weight",
    "transformer.resblocks." + "9" * 5000 + ".x",
    "visual.layer1.x",
    "module.module.a",
    "vision_model.embeddings.patch_embedding.weight",
    "",
    "\x1b[2J",
    "x" * 10_000,
    "attn_mask",
)
