"""Weight files that are refused, with the reason, and without running code from them."""

import os
import pickle
import re
import zipfile

import pytest
import torch
from safetensors.torch import save_file
from tests.backbones.tiny_clip import TINY, module_tree, openai_shapes, to_hugging_face
from torch import nn

from weclip.backbones.clip.weights import load_clip
from weclip.system.errors import InputError


class Attack:
    """Its pickle calls `os.system`, were it ever obeyed."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


def write_archive(file, pickled):
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("clip/data.pkl", pickled)
        archive.writestr("clip/constants.pkl", b"\x80\x02)." if pickled else b"")


def in_archive(attack, file):
    write_archive(file, pickle.dumps({"w": attack}, protocol=2))


HIDING_PLACES = {
    "in a TorchScript archive": in_archive,
    "in torch.save": lambda attack, file: torch.save({"w": attack}, file),
    "in old torch.save": lambda attack, file: torch.save(
        {"w": attack}, file, _use_new_zipfile_serialization=False
    ),
    "in a plain pickle": lambda attack, file: file.write_bytes(pickle.dumps({"w": attack}, 2)),
}


@pytest.mark.parametrize("place", HIDING_PLACES)
def test_code_is_refused_and_not_run(place, tmp_path):
    marker, file = tmp_path / "was run", tmp_path / "evil.pt"
    HIDING_PLACES[place](Attack(marker), file)
    with pytest.raises(InputError, match=r"refused, its pickle asks for \w+\.system") as caught:
        load_clip(file)
    assert str(file) in str(caught.value)
    assert not marker.exists()


@pytest.mark.parametrize(
    "pickled",
    [
        b"cbuiltins\neval\n(X\x05\x00\x00\x001 + 1tR.",
        b"ctorch\nload\n(X\x01\x00\x00\x00atR.",
        b"\x80\x04\x8c\x0btorch._utils\x8c\x13_rebuild_parameter_\x93.",
        b"ccollections\nOrderedDict.__init__.__globals__\n.",
        b"(X\x05\x00\x00\x00other\x8a\x00\x8a\x00\x8a\x00\x8a\x00tQ.",
        b"c__torch__\nA\n(N}X\x04\x00\x00\x00nameX\x01\x00\x00\x00ystb.",  # sets a class's name
    ],
)
def test_archive_refuses_all_but_tensors(pickled, tmp_path):
    write_archive(tmp_path / "evil.pt", pickled)
    with pytest.raises(InputError, match=r"refused, its pickle asks for|damaged"):
        load_clip(tmp_path / "evil.pt")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("shape", [(5,), (10**15,)])
def test_archive_refuses_a_tensor_beyond_its_storage(shape, tmp_path):
    torch.jit.script(module_tree({"w": torch.arange(4.0)})).save(tmp_path / "good.pt")
    with zipfile.ZipFile(tmp_path / "good.pt") as source:
        entries = {info.filename: source.read(info) for info in source.infolist()}
    sizes = b"(" + pickle.dumps(shape[0], 2)[2:-1] + b"t(K\x00t"  # stride 0 needs no memory
    entries = {
        name: content.replace(b"K\x00(K\x04t(K\x01t", b"K\x00" + sizes)
        for name, content in entries.items()
    }
    with zipfile.ZipFile(tmp_path / "bad.pt", "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    with pytest.raises(InputError, match="w: a tensor is larger than its storage"):
        load_clip(tmp_path / "bad.pt")


def without(state, *names):
    return {name: value for name, value in state.items() if name not in names}


BLOCK = "transformer.resblocks."
FAULTS = {
    "missing": (
        lambda s: without(s, f"{BLOCK}1.ln_1.weight"),
        rf"missing {BLOCK}1\.ln_1\.weight$",
    ),
    "missing tensor of the sizes": (lambda s: without(s, "visual.proj"), r"missing visual\.proj$"),
    "missing blocks": (
        lambda s: {k: v for k, v in s.items() if not k.startswith(f"visual.{BLOCK}")},
        rf"missing visual\.{BLOCK}0\.attn\.in_proj_weight$",
    ),
    "unexpected": (lambda s: s | {"head": torch.zeros(1)}, "unexpected head$"),
    "misshapen": (
        lambda s: s | {"ln_final.bias": torch.zeros(3)},
        r"misshapen ln_final\.bias \(found \(3,\), expected \(16,\)\)$",
    ),
    "not a square of patches": (
        lambda s: s | {"visual.positional_embedding": torch.zeros(9, 64)},
        r"misshapen visual\.positional_embedding \(found \(9, 64\), expected \(10, 64\)\)",
    ),
    "nothing in it": (
        lambda s: s | {"visual.conv1.weight": torch.zeros(0, 3, 8, 8)},
        r"visual\.conv1\.weight \(found \(0, 3, 8, 8\), expected 4 dimensions, none of them 0\)",
    ),
    "an endless name": (
        lambda s: s | {"x" * 1000: torch.zeros(1)},
        "the name of a tensor is no text of up to 200 printable letters",
    ),
    "a name that acts on terminals": (
        lambda s: s | {"\x1b[2J": torch.zeros(1)},
        "the name of a tensor is no text of up to 200 printable letters",
    ),
    "two joint sizes": (
        lambda s: s | {"text_projection": torch.zeros(16, 8)},
        r"misshapen text_projection \(found \(16, 8\), expected \(16, 32\)\)",
    ),
    "wrong dimensions": (
        lambda s: s | {"visual.conv1.weight": torch.zeros(64, 48)},
        r"visual\.conv1\.weight \(found \(64, 48\), expected 4 dimensions, none of them 0\)",
    ),
    "integers": (
        lambda s: s | {"ln_final.bias": torch.zeros(16, dtype=torch.int8)},
        r"ln_final\.bias \(found torch\.int8, expected floating point\)",
    ),
    "all at once": (
        lambda s: without(s, "logit_scale") | {"x": torch.zeros(1), "ln_final.bias": torch.ones(1)},
        r"missing logit_scale; unexpected x; misshapen ln_final\.bias",
    ),
    "many": (
        lambda s: s | {f"extra{i}": torch.zeros(1) for i in range(20)},
        "unexpected extra0, .* and 12 more$",
    ),
    "resnet": (
        lambda s: s | {"visual.layer1.0.conv1.weight": torch.zeros(1)},
        r"a ResNet CLIP; use a ViT CLIP of OpenAI or OpenCLIP",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_named(fault, state, tmp_path):
    change, message = FAULTS[fault]
    file = tmp_path / "clip.safetensors"
    save_file(change(state), file)
    with pytest.raises(InputError, match=message) as caught:
        load_clip(file)
    assert str(caught.value).startswith(str(file))
    assert "\n" not in str(caught.value)


def test_width_that_heads_do_not_divide(tmp_path):
    shapes = openai_shapes(**TINY | {"width": 96})
    save_file({k: torch.zeros(v) for k, v in shapes.items()}, tmp_path / "odd.safetensors")
    with pytest.raises(InputError, match="class_embedding has width 96, not a multiple of 64"):
        load_clip(tmp_path / "odd.safetensors")


@pytest.mark.parametrize("fault", ["missing", "shape"])
def test_hugging_face_query_key_value_must_fit(fault, state, tmp_path):
    mapped = to_hugging_face(state)
    name = "vision_model.encoder.layers.1.self_attn.k_proj.weight"
    if fault == "missing":
        del mapped[name]
    else:
        mapped[name] = torch.zeros(2, 64)
    save_file(mapped, tmp_path / "hf.safetensors")
    message = re.escape(f"missing {name}" if fault == "missing" else f"{name} (2, 64)")
    with pytest.raises(InputError, match=message):
        load_clip(tmp_path / "hf.safetensors")


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"nothing\.pt: no such file or folder"):
        load_clip(tmp_path / "nothing.pt")


def test_folder_without_weights(tmp_path):
    with pytest.raises(InputError, match=r"the folder has no model\.safetensors"):
        load_clip(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not weights at all", b"PK\x03\x04 broken zip"])
def test_not_a_weight_file(content, tmp_path):
    (tmp_path / "clip.pt").write_bytes(content)
    with pytest.raises(InputError, match=r"not a weight file|damaged"):
        load_clip(tmp_path / "clip.pt")


def test_zip_of_something_else(tmp_path):
    with zipfile.ZipFile(tmp_path / "clip.zip", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(InputError, match="not a weight file"):
        load_clip(tmp_path / "clip.zip")


@pytest.mark.parametrize("keep", [100, 5000, -100])
def test_cut_safetensors(keep, state, tmp_path):
    save_file(state, tmp_path / "clip.safetensors")
    content = (tmp_path / "clip.safetensors").read_bytes()
    (tmp_path / "clip.safetensors").write_bytes(content[:keep])
    with pytest.raises(InputError, match="damaged"):
        load_clip(tmp_path / "clip.safetensors")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([torch.zeros(1)], "holds a list, not a state dict"),
        ({"epoch": 3}, "entry 'epoch' is a int, not a tensor"),
        ({}, r"missing visual\.conv1\.weight"),
    ],
)
def test_saved_objects_that_are_no_state_dict(content, message, tmp_path):
    torch.save(content, tmp_path / "clip.pt")
    with pytest.raises(InputError, match=message):
        load_clip(tmp_path / "clip.pt")


def test_whole_saved_module_is_refused(tmp_path):
    torch.save(nn.Linear(2, 2), tmp_path / "module.pt")
    with pytest.raises(InputError, match=r"asks for torch\.nn\.modules\.linear\.Linear"):
        load_clip(tmp_path / "module.pt")
