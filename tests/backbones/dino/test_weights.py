"""Every weight format gives the same DINOv2, and every published size is read from the weights."""

import hashlib
import json
import math
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.backbones.tiny_dino import (
    HUGGING_FACE,
    PROCESSOR,
    WITH_REGISTERS,
    hub_shapes,
    tiny_dino,
    to_hugging_face,
)
from tests.literal.dino import patch_tokens

from weclip.backbones.dino.weights import load_dino
from weclip.backbones.dino.whole import check_state
from weclip.system.errors import InputError


def under(prefix, state):
    return {prefix + name: value for name, value in state.items()}


def features(dino):
    image = torch.randint(256, (1, 3, 20, 13), generator=torch.Generator().manual_seed(2))
    return dino.image(image).features


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """What the hub's file gives."""
    file = tmp_path_factory.mktemp("hub") / "dino.pth"
    torch.save(tiny_dino(), file)
    return features(load_dino(file))


FORMATS = {
    "plain.pth": torch.save,
    "legacy.pth": lambda s, f: torch.save(s, f, _use_new_zipfile_serialization=False),
    "nested.pth": lambda s, f: torch.save({"epoch": 3, "model": s}, f),
    "parallel.pth": lambda s, f: torch.save(under("module.", s), f),
    "teacher.pth": lambda s, f: torch.save(under("teacher.backbone.", s), f),
    "backbone.pth": lambda s, f: torch.save(under("backbone.", s), f),
    "compiled.pth": lambda s, f: torch.save(under("_orig_mod.", s), f),
    "hub.safetensors": save_file,
    "float32.pth": lambda s, f: torch.save({k: v.float() for k, v in s.items()}, f),
    "timm.safetensors": lambda s, f: save_file({k: s[k] for k in s if k != "mask_token"}, f),
    "hf.safetensors": lambda s, f: save_file(to_hugging_face(s), f),
    "classes.bin": lambda s, f: torch.save(under("dinov2.", to_hugging_face(s)), f),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_equal_features(name, dino, expected, tmp_path):
    file = tmp_path / name
    FORMATS[name](dino, file)
    loaded = load_dino(str(file))
    assert torch.equal(features(loaded), expected)
    assert {value.dtype for value in loaded.image.state_dict().values()} == {torch.float32}
    assert loaded.name == name
    assert loaded.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.mark.parametrize(("registers", "config"), [(0, HUGGING_FACE), (4, WITH_REGISTERS)])
def test_hugging_face_folder(registers, config, tmp_path):
    state = tiny_dino(registers)
    torch.save(state, tmp_path / "hub.pth")
    folder = tmp_path / "dinov2"
    folder.mkdir()
    save_file(to_hugging_face(state), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "preprocessor_config.json").write_text(json.dumps(PROCESSOR))
    loaded = load_dino(folder)
    assert torch.equal(features(loaded), features(load_dino(tmp_path / "hub.pth")))
    assert loaded.name == "dinov2"
    assert len(loaded.image.registers) == registers


def test_what_it_computes_is_told(dino, tmp_path):
    torch.save(dino, tmp_path / "plain.pth")
    torch.save(tiny_dino(4), tmp_path / "registers.pth")
    plain, registers = (load_dino(tmp_path / f"{name}.pth") for name in ("plain", "registers"))
    assert plain.computes == (
        "gelu, 2 heads, epsilon 1e-06; positions bicubic by scale + 0.1; mean and deviation "
        "ImageNet's"
    )
    assert "positions bicubic to their size, with antialiasing" in registers.computes


def test_layer_scale_is_folded_in_float32(dino, tmp_path):
    """In float16 the products would be rounded."""
    torch.save(dino, tmp_path / "dino.pth")
    block = load_dino(tmp_path / "dino.pth").image.transformer.blocks[1]
    gamma, weight = dino["blocks.1.ls2.gamma"], dino["blocks.1.mlp.fc2.weight"]
    assert torch.equal(block.mlp.c_proj.weight, gamma.float()[:, None] * weight.float())


def test_without_layer_scale(dino, tmp_path):
    """As DINOv2 trains where it is left out: the mask token still tells what it is."""
    plain = {name: value for name, value in dino.items() if not name.endswith("gamma")}
    ones = {name: torch.ones_like(dino[name]) for name in dino if name.endswith("gamma")}
    torch.save(plain, tmp_path / "plain.pth")
    torch.save(plain | ones, tmp_path / "ones.pth")
    found, same = (load_dino(tmp_path / f"{name}.pth") for name in ("plain", "ones"))
    assert torch.equal(features(found), features(same))


@pytest.mark.parametrize(
    ("width", "blocks", "registers", "parameters"),
    [
        pytest.param(384, 12, 0, 22_056_576, id="S"),
        pytest.param(768, 12, 0, 86_580_480, id="B"),
        pytest.param(1024, 24, 0, 304_368_640, id="L"),
        pytest.param(1024, 24, 4, 304_372_736, id="L with registers"),
    ],
)
def test_published_sizes_are_read_from_the_weights(width, blocks, registers, parameters):
    shapes = hub_shapes(width=width, blocks=blocks, patch=14, grid=37, registers=registers)
    assert sum(math.prod(shape) for shape in shapes.values()) == parameters  # as published
    state = {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
    sizes = check_state(state, Path("meta"))
    assert (sizes.width, sizes.blocks, sizes.registers) == (width, blocks, registers)
    assert (sizes.patch, sizes.grid, sizes.heads) == (14, 37, width // 64)


def first_dino(*, width, blocks, patch):
    """Names and shapes of a DINO of 2021: no LayerScale, no mask token, images of 224."""
    shapes = hub_shapes(width=width, blocks=blocks, patch=patch, grid=224 // patch)
    return {n: s for n, s in shapes.items() if n != "mask_token" and not n.endswith("gamma")}


@pytest.mark.parametrize(
    ("width", "patch", "parameters"),
    [
        pytest.param(384, 8, 21_670_272, id="S/8"),
        pytest.param(384, 16, 21_665_664, id="S/16"),
        pytest.param(768, 8, 85_807_872, id="B/8"),
        pytest.param(768, 16, 85_798_656, id="B/16"),
    ],
)
def test_published_sizes_of_the_first_dino(width, patch, parameters):
    shapes = first_dino(width=width, blocks=12, patch=patch)
    assert sum(math.prod(shape) for shape in shapes.values()) == parameters
    state = {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
    sizes = check_state(state, Path("meta"))
    assert (sizes.width, sizes.blocks, sizes.registers) == (width, 12, 0)
    assert (sizes.patch, sizes.grid) == (patch, 224 // patch)


@pytest.mark.parametrize(
    ("file", "patch"), [("any.pth", 8), ("dino_vitbase16_pretrain.pth", 16), ("any.pth", 16)]
)
def test_a_first_dino(file, patch, tmp_path):
    """Patches of 16 are those of an MAE too: there, the published name tells."""
    generator = torch.Generator().manual_seed(0)
    shapes = first_dino(width=64, blocks=2, patch=patch)
    state = {name: 0.1 * torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    torch.save(state, tmp_path / file)
    if (file, patch) == ("any.pth", 16):
        with pytest.raises(InputError, match="told from the others by its published name"):
            load_dino(tmp_path / file)
        return
    encoder = load_dino(tmp_path / file).image
    image = torch.randint(256, (1, 3, 3 * patch, 2 * patch), generator=generator)
    expected = patch_tokens(state, encoder.prepare(image)[0])
    found = encoder(image).features[0].double()
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


def golden():
    folder = Path(os.environ.get("WECLIP_GOLDEN_PLUS", "../shared/golden_plus"))
    if not (folder / "dino.safetensors").is_file():
        pytest.skip(f"no golden DINO in {folder} (set WECLIP_GOLDEN_PLUS)")
    return folder


@pytest.mark.parametrize("registers", [False, True])
def test_golden_dino(registers, tmp_path):
    folder = golden()
    extra = load_file(folder / "dino_registers.safetensors")
    if registers:
        state = load_file(folder / "dino.safetensors")
        tokens = {"register_tokens": extra["register_tokens"]}
        save_file(state | tokens, tmp_path / "dino.safetensors")
        folder = tmp_path
    encoder = load_dino(folder / "dino.safetensors").image
    name = "dino_pos_embed_5x4" if registers else "plain_pos_embed_5x4"
    torch.testing.assert_close(encoder.positions((5, 4)), extra[name][0], atol=1e-4, rtol=0)
    if not registers:
        return
    tokens = encoder.norm(encoder.transformer(encoder.embed(extra["dino_image"])))
    torch.testing.assert_close(tokens[:, 5:], extra["dino_patch_tokens"], atol=1e-4, rtol=0)
