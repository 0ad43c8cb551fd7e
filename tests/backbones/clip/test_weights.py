"""Every weight format gives the same CLIP, and every published size is read from the weights."""

import hashlib
import json
import math
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.backbones.tiny_clip import HUGGING_FACE, module_tree, openai_shapes, to_hugging_face

from weclip.backbones.clip.image_encoder import build_image_encoder
from weclip.backbones.clip.layouts.whole import check_state
from weclip.backbones.clip.text_encoder import build_text_encoder
from weclip.backbones.clip.weights import Clip, load_clip
from weclip.backbones.weight_files.tensors import read_archive


def save_torchscript(state, file):
    tree = module_tree(state)
    tree.register_buffer("input_resolution", torch.tensor(12))
    tree.register_buffer("context_length", torch.tensor(77))
    tree.register_buffer("vocab_size", torch.tensor(50))
    tree.transformer.resblocks[0].attn_mask = torch.zeros(3, 3)
    tree.sizes = [1, 2]
    torch.jit.script(tree).save(file)


def assert_holds(clip: Clip, state):
    loaded = {f"visual.{name}": value for name, value in clip.image.state_dict().items()}
    loaded |= clip.text.state_dict()
    assert loaded.keys() == state.keys() - {"logit_scale"}
    for name, value in loaded.items():
        assert value.dtype == torch.float32
        assert torch.equal(value, state[name].float()), name
    assert clip.scale == pytest.approx(math.exp(state["logit_scale"].item()))


FORMATS = {
    "archive.pt": save_torchscript,
    "plain.pt": torch.save,
    "legacy.pth": lambda s, f: torch.save(s, f, _use_new_zipfile_serialization=False),
    "nested.pt": lambda s, f: torch.save({"epoch": 3, "state_dict": s}, f),
    "parallel.pt": lambda s, f: torch.save({f"module.{k}": v for k, v in s.items()}, f),
    "openai.safetensors": save_file,
    "hf.safetensors": lambda s, f: save_file(to_hugging_face(s), f),
    "pytorch_model.bin": lambda s, f: torch.save(to_hugging_face(s), f),
    "extra.pt": lambda s, f: torch.save(s | {"input_resolution": torch.tensor(12)}, f),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_equal_tensors(name, state, tmp_path):
    file = tmp_path / name
    FORMATS[name](state, file)
    clip = load_clip(file)
    assert_holds(clip, state)
    assert clip.name == name
    assert clip.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()


def test_hugging_face_folder(state, tmp_path):
    save_file(to_hugging_face(state), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(HUGGING_FACE))
    clip = load_clip(str(tmp_path))
    assert_holds(clip, state)
    assert clip.name == tmp_path.name
    content = (tmp_path / "model.safetensors").read_bytes()
    assert clip.sha256 == hashlib.sha256(content).hexdigest()


def test_loaded_clip_computes(state, tmp_path):
    torch.save(state, tmp_path / "clip.pt")
    clip = load_clip(tmp_path / "clip.pt")
    assert clip.image(torch.zeros(1, 3, 8, 12)).patch_grid == (2, 3)
    assert clip.text(torch.tensor([[1, 5, 49]])).shape == (1, 32)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_archive_with_views_of_one_storage(tmp_path):
    base = torch.arange(40.0)
    tree = {
        "a.turned": base[4:16].view(3, 4).T,
        "a.strided": base[1::3],
        "a.integers": torch.arange(5, dtype=torch.int32),
        "scalar": base[7],
    }
    torch.jit.script(module_tree(tree)).save(tmp_path / "views.pt")
    loaded = read_archive(tmp_path / "views.pt")
    assert loaded.keys() == tree.keys()
    for name, value in tree.items():
        assert torch.equal(loaded[name], value)
        assert loaded[name].dtype == value.dtype


@pytest.mark.parametrize(
    ("width", "blocks", "patch", "grid", "text_width", "parameters"),
    [
        pytest.param(768, 12, 32, 7, 512, 151_277_313, id="B/32"),
        pytest.param(768, 12, 16, 14, 512, 149_620_737, id="B/16"),
        pytest.param(1024, 24, 14, 16, 768, 427_616_513, id="L/14"),
        pytest.param(1024, 24, 14, 24, 768, 427_944_193, id="L/14@336"),
    ],
)
def test_published_sizes_are_read_from_the_weights(
    width, blocks, patch, grid, text_width, parameters
):
    shapes = openai_shapes(
        width=width,
        blocks=blocks,
        patch=patch,
        grid=grid,
        joint=text_width,
        text_width=text_width,
        text_blocks=12,
    )
    assert sum(math.prod(shape) for shape in shapes.values()) == parameters  # as published
    with torch.device("meta"):
        state = {name: torch.empty(shape) for name, shape in shapes.items()}
        check_state(state, Path("meta"))
        image, text = build_image_encoder(state), build_text_encoder(state)
    assert (image.width, image.depth, image.patch_size) == (width, blocks, patch)
    assert image.native_grid == grid
    assert image.transformer.resblocks[0].attn.heads == width // 64
    assert text.transformer.resblocks[0].attn.heads == text_width // 64
    assert text.context == 77


@pytest.mark.clip
@pytest.mark.skipif("WECLIP_CLIP" not in os.environ, reason="set WECLIP_CLIP to CLIP weights")
def test_real_weights():
    clip = load_clip(os.environ["WECLIP_CLIP"])
    features = clip.text.encode(["a photo of a cat", "a picture of a cat", "a treaty"])
    assert features[0] @ features[1] > features[0] @ features[2]
    assert clip.scale == pytest.approx(100, rel=0.01)


def test_golden_clip_loads():
    file = Path(os.environ.get("WECLIP_GOLDEN", "../shared/golden")) / "clip.safetensors"
    if not file.is_file():
        pytest.skip(f"no golden CLIP at {file} (set WECLIP_GOLDEN)")
    assert_holds(load_clip(file), load_file(file))
