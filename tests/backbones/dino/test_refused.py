"""What is no DINOv2 that is computed here is refused by name, in one line, and never run."""

import json
import os
import re

import pytest
import torch
from safetensors.torch import save_file
from tests.backbones.tiny_clip import changed, tiny_state
from tests.backbones.tiny_clip import to_hugging_face as clip_of_hugging_face
from tests.backbones.tiny_dino import (
    HUGGING_FACE,
    PROCESSOR,
    WITH_REGISTERS,
    tiny_dino,
    to_hugging_face,
)

from weclip.backbones.clip.weights import load_clip
from weclip.backbones.dino.weights import load_dino
from weclip.system.errors import InputError


def without(state, *names):
    return {name: value for name, value in state.items() if not name.endswith(names)}


def with_extra(name):
    return lambda s: s | {name: torch.zeros(2)}


def under(prefix, state):
    return {prefix + name: value for name, value in state.items()}


OTHERS = {
    "giant": (with_extra("blocks.0.mlp.w12.weight"), "SwiGLU, as in DINOv2's giant; use a DINOv2"),
    "giant of Transformers": (
        lambda s: with_extra("encoder.layer.0.mlp.weights_in.weight")(to_hugging_face(s)),
        "SwiGLU, as in DINOv2's giant",
    ),
    "dino 3": (with_extra("storage_tokens"), "a DINOv3, or another ViT"),
    "dino 3 rotates": (with_extra("rope_embed.periods"), "a DINOv3, or another ViT"),
    "dino 3 of Transformers": (
        with_extra("layer.0.attention.k_proj.weight"),
        "a DINOv3, or another ViT",
    ),
    "the first dino": (
        lambda s: without(s, "gamma", "mask_token"),
        "a ViT without LayerScale and mask_token, such as a DINO of 2021, an MAE or a "
        "supervised one, not a DINOv2; .* published name: dino_deitsmall16_pretrain or dino",
    ),
    "clip": (lambda s: tiny_state(), "a CLIP, which is given as clip.weights"),
    "clip of Transformers": (
        lambda s: clip_of_hugging_face(tiny_state()),
        "a CLIP, which is given as clip.weights",
    ),
    "mae": (with_extra("decoder_embed.weight"), "an MAE; use a DINOv2"),
    "timm": (with_extra("head.weight"), "a classifier on top of an image encoder; save the back"),
    "linear head": (
        lambda s: with_extra("linear_head.weight")(under("backbone.", s)),
        "a classifier on top of an image encoder",
    ),
    "classifier of Transformers": (
        lambda s: with_extra("classifier.weight")(under("dinov2.", to_hugging_face(s))),
        "a classifier on top of an image encoder",
    ),
    "a head alone": (
        lambda s: {"weight": torch.zeros(2, 2), "bias": torch.zeros(2)},
        "one layer, such as a classifier's head",
    ),
    "training": (
        lambda s: under("teacher.backbone.", s) | {"teacher.dino_head.mlp.0.bias": torch.zeros(2)},
        "a checkpoint of DINOv2's training, with its heads",
    ),
    "student and teacher": (
        lambda s: under("student.backbone.", s) | under("teacher.backbone.", s),
        r"holds 2 models, under 'student\.backbone\.', 'teacher\.backbone\.'; save one alone",
    ),
    "chunks": (with_extra("blocks.0.3.norm1.weight"), "its blocks lie in chunks"),
    "plain vit": (with_extra("encoder.layer.0.layernorm_before.weight"), "a plain ViT of Transf"),
    "timm's registers": (with_extra("reg_token"), "timm's copy of a DINOv2 with registers"),
    "beit": (with_extra("blocks.0.gamma_1"), "a BEiT"),
    "weclip plus": (lambda s: under("dino_encoder.", s), "a checkpoint of the published WeCLIP+"),
    "more than one": (
        lambda s: with_extra("neck.weight")(under("backbone.", s)),
        r"holds more than the image encoder under 'backbone\.': neck\.weight; save that one alone",
    ),
    "twice": (
        lambda s: s | {"module.norm.bias": s["norm.bias"]},
        "holds norm.bias twice, with and without a wrapper",
    ),
}

FAULTS = {
    "missing": (lambda s: without(s, "blocks.1.norm1.bias"), r"missing blocks\.1\.norm1\.bias$"),
    "one layer scale": (lambda s: without(s, "1.ls2.gamma"), r"missing blocks\.1\.ls2\.gamma$"),
    "no sizes": (lambda s: without(s, "pos_embed"), "missing pos_embed$"),
    "unexpected": (with_extra("fc_norm.weight"), r"unexpected fc_norm\.weight$"),
    "misshapen": (
        lambda s: s | {"norm.bias": torch.zeros(3)},
        r"misshapen norm\.bias \(found \(3,\), expected \(128,\)\)$",
    ),
    "no square of patches": (
        lambda s: s | {"pos_embed": torch.zeros(1, 9, 128)},
        r"pos_embed \(found \(1, 9, 128\), expected \(1, 10, 128\)\)",
    ),
    "flat": (
        lambda s: s | {"cls_token": torch.zeros(128)},
        r"cls_token \(found \(128,\), expected 3 dimensions, none of them 0\)",
    ),
    "empty registers": (
        lambda s: s | {"register_tokens": torch.zeros(1, 0, 128)},
        r"register_tokens \(found \(1, 0, 128\), expected 3 dimensions, none of them 0\)",
    ),
    "integers": (
        lambda s: s | {"norm.bias": torch.zeros(128, dtype=torch.int8)},
        r"norm\.bias \(found torch\.int8, expected floating point\)",
    ),
    "a block apart": (
        with_extra("blocks.999999.norm1.bias"),
        r"missing blocks\.2\..* and 6 more; unexpected blocks\.999999\.norm1\.bias$",
    ),
    "nan": (
        lambda s: s | {"norm.bias": torch.full((128,), torch.nan)},
        r"norm\.bias is not finite; download the weights again",
    ),
    "nothing": (lambda s: {}, r"missing cls_token, pos_embed, patch_embed\.proj\.weight"),
}


@pytest.mark.parametrize("kind", OTHERS | FAULTS)
def test_it_is_refused(kind, dino, tmp_path):
    change, message = (OTHERS | FAULTS)[kind]
    torch.save(change(dino), tmp_path / "dino.pth")
    with pytest.raises(InputError, match=message) as caught:
        load_dino(tmp_path / "dino.pth")
    assert str(caught.value).startswith(str(tmp_path / "dino.pth"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("fault", ["missing", "shape"])
def test_query_key_value_must_fit(fault, dino, tmp_path):
    mapped = to_hugging_face(dino)
    name = "encoder.layer.1.attention.attention.key.weight"
    if fault == "missing":
        del mapped[name]
    else:
        mapped[name] = torch.zeros(2, 128)
    save_file(mapped, tmp_path / "hf.safetensors")
    message = re.escape(f"missing {name}" if fault == "missing" else f"{name} (2, 128)")
    with pytest.raises(InputError, match=message):
        load_dino(tmp_path / "hf.safetensors")


def test_a_width_that_heads_do_not_divide(tmp_path):
    state = {
        name: torch.zeros([size * 3 // 4 if size % 128 == 0 else size for size in value.shape])
        for name, value in tiny_dino().items()
    }
    torch.save(state, tmp_path / "odd.pth")
    with pytest.raises(InputError, match="cls_token has width 96, not a multiple of 64"):
        load_dino(tmp_path / "odd.pth")


class Attack:
    """Its pickle calls `os.system`, were it ever obeyed."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


def test_code_is_refused_and_not_run(dino, tmp_path):
    torch.save(dino | {"norm.bias": Attack(tmp_path / "was run")}, tmp_path / "evil.pth")
    with pytest.raises(InputError, match=r"refused, its pickle asks for \w+\.system"):
        load_dino(tmp_path / "evil.pth")
    assert not (tmp_path / "was run").exists()


def test_nothing_there(tmp_path):
    with pytest.raises(InputError, match=r"no\.pth: no such file or folder; give the path of weig"):
        load_dino(tmp_path / "no.pth")


@pytest.mark.parametrize("registers", [0, 4])
@pytest.mark.parametrize("layout", [dict, to_hugging_face])
def test_a_dino_is_no_clip(registers, layout, tmp_path):
    torch.save(layout(tiny_dino(registers)), tmp_path / "dino.pth")
    with pytest.raises(InputError, match=r"a DINOv2, which is given as dino\.weights; use a ViT"):
        load_clip(tmp_path / "dino.pth")


CONFIGURATIONS = {
    "tanh": ({"hidden_act": "gelu_new"}, "hidden_act is 'gelu_new': only 'gelu' is computed"),
    "epsilon": ({"layer_norm_eps": 1e-12}, "layer_norm_eps is 1e-12: only 1e-06 is computed"),
    "swiglu": ({"use_swiglu_ffn": True}, "use_swiglu_ffn is true: only false or null"),
    "no bias": ({"qkv_bias": False}, "qkv_bias is false: only true"),
    "type": ({"model_type": "vit"}, "model_type is 'vit': only 'dinov2' or 'dinov2_with_reg"),
    "patch": ({"patch_size": 6}, r"patch_size is 6 .* the weights beside it have 4"),
    "image": ({"image_size": 16}, r"image_size / patch_size is 4 .* have 3"),
    "heads": ({"num_attention_heads": 4}, r"num_attention_heads is 4 .* have 2"),
    "width": ({"hidden_size": 256}, r"hidden_size is 256 .* have 128"),
    "blocks": ({"num_hidden_layers": 12}, r"num_hidden_layers is 12 .* have 2"),
    "mlp": ({"mlp_ratio": 2}, r"hidden_size x mlp_ratio is 256 .* have 512"),
    "registers": (WITH_REGISTERS, r"num_register_tokens is 4 .* have 0"),
    "resized": ({"interpolate_antialias": True}, "interpolate_antialias is true: only false"),
    "new key": ({"rope_theta": 100}, "rope_theta is 100: this key is not understood here"),
}


@pytest.mark.parametrize("kind", CONFIGURATIONS)
def test_configurations_that_say_something_else(kind, dino, tmp_path):
    changes, message = CONFIGURATIONS[kind]
    save_file(to_hugging_face(dino), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(changed(HUGGING_FACE, **changes)))
    with pytest.raises(InputError, match=rf"config\.json: {message}"):
        load_dino(tmp_path)


def test_registers_that_the_configuration_does_not_know(tmp_path):
    save_file(to_hugging_face(tiny_dino(4)), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(HUGGING_FACE))
    with pytest.raises(InputError, match=r"num_register_tokens is 0 .* beside it have 4"):
        load_dino(tmp_path)


def test_another_normalisation(dino, tmp_path):
    save_file(to_hugging_face(dino), tmp_path / "model.safetensors")
    processor = PROCESSOR | {"image_mean": [0.5, 0.5, 0.5]}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(processor))
    with pytest.raises(InputError, match=r"image_mean is \[0\.5, 0\.5, 0\.5\]: only \[0\.485"):
        load_dino(tmp_path)


def test_a_configuration_of_another_model_beside_the_hubs_file(dino, tmp_path):
    torch.save(dino, tmp_path / "dinov2_vits14_pretrain.pth")
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    assert load_dino(tmp_path / "dinov2_vits14_pretrain.pth")
