"""What is no MiT that is computed here is refused by name, in one line, and never run."""

import json
import os
import re

import pytest
import torch
from safetensors.torch import save_file
from tests.backbones.tiny_clip import tiny_state
from tests.backbones.tiny_dino import tiny_dino
from tests.backbones.tiny_mit import (
    HUGGING_FACE,
    PROCESSOR,
    mit_shapes,
    tiny_mit,
    to_hugging_face,
)

from weclip.backbones.mit.weights import read_mit
from weclip.system.errors import InputError


def random_like(shapes):
    return {name: torch.zeros(shape) for name, shape in shapes.items()}


def without(state, *names):
    return {name: value for name, value in state.items() if name not in names}


def with_extra(name):
    return lambda s: s | {name: torch.zeros(2)}


def under(prefix, state):
    return {prefix + name: value.clone() for name, value in state.items()}


OTHERS = {
    "clip": (lambda s: tiny_state(), "a CLIP, which is given as clip.weights; use a MiT-B0"),
    "dino": (lambda s: tiny_dino(), "a DINOv2, which is given as dino.weights"),
    "a vit": (with_extra("pos_embed"), "a transformer with positions; a MiT has none"),
    "pvt 1": (with_extra("pos_embed2"), "a transformer with positions"),
    "pvt 2": (
        lambda s: random_like(mit_shapes(ratio=8)),
        "8 times the width, as in PVT v2, whose names are the same",
    ),
    "resnet": (with_extra("layer3.0.conv1.weight"), "a ResNet"),
    "swin": (with_extra("layers.0.relative_position_bias_table"), "a Swin or BEiT"),
    "mmsegmentation": (
        with_extra("backbone.layers.0.0.projection.weight"),
        "MMSegmentation's own copy",
    ),
    "in memory": (
        with_extra("segformer.stages.0.blocks.0.attention.k_proj.weight"),
        "names that Transformers 5 has in memory; store it with save_pretrained",
    ),
    "weclip": (with_extra("segmenter.classifier.weight"), "a trained model of weclip"),
    "two": (
        lambda s: under("student.", s) | under("teacher.", s),
        r"holds 2 models, under 'student\.', 'teacher\.'; save one alone",
    ),
    "more beside it": (
        lambda s: under("encoder.", s) | {"memory.weight": torch.zeros(2)},
        r"more than the encoder under 'encoder\.' and known heads: memory\.weight",
    ),
    "one missing": (
        lambda s: without(s, "block2.1.attn.q.bias"),
        r"not a whole MiT \(names of SegFormer\): missing block2\.1\.attn\.q\.bias",
    ),
    "a block missing": (
        lambda s: {k: v for k, v in s.items() if not k.startswith("block3.0.")},
        r"not a whole MiT .*missing block3\.0\.mlp\.fc1\.weight",
    ),
    "one more": (with_extra("block2.7.norm1.bias"), r"missing block2\.2\.norm1\.weight.*and \d+"),
    "unknown": (with_extra("extra.weight"), r"unexpected extra\.weight"),
    "another shape": (
        lambda s: s | {"norm3.bias": torch.zeros(7)},
        r"norm3\.bias \(found \(7,\), expected \(40,\)\)",
    ),
    "integers": (
        lambda s: s | {"norm3.bias": torch.zeros(40, dtype=torch.int64)},
        r"norm3\.bias \(found torch\.int64, expected floating point\)",
    ),
    "not finite": (
        lambda s: s | {"norm3.bias": torch.full((40,), torch.inf)},
        r"norm3\.bias is not finite; download the weights again",
    ),
    "heads do not divide": (
        lambda s: random_like(mit_shapes((16, 32, 48, 64))),
        "width 48, not a multiple of 5, its heads in every MiT",
    ),
    "one last block": (
        lambda s: random_like(mit_shapes(depths=(2, 2, 2, 1))),
        "the last stage has 1 blocks and reduction 1; every MiT has 2 or more, and 1",
    ),
    "a value missing": (
        lambda s: without(to_hugging_face(s), "block.0.0.attention.self.value.bias"),
        r"missing block\.0\.0\.attention\.self\.value\.bias",
    ),
}


@pytest.mark.parametrize("case", OTHERS)
def test_another_model(case, tmp_path):
    change, said = OTHERS[case]
    file = tmp_path / "mit.safetensors"
    save_file(change(tiny_mit()), file)
    with pytest.raises(InputError, match=said) as error:
        read_mit(file)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(f"{file}: ")


def folder_with(tmp_path, config=None, processor=None):
    state = under("segformer.encoder.", to_hugging_face(tiny_mit()))
    save_file(state, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(HUGGING_FACE | (config or {})))
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(PROCESSOR | (processor or {})))
    return tmp_path


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"num_attention_heads": [1, 2, 4, 8]}, r"num_attention_heads is \[1, 2, 4, 8\] .* beside"),
        ({"hidden_sizes": [32, 64, 160, 256]}, r"hidden_sizes is \[32, 64, 160, 256\]"),
        ({"depths": "four"}, "depths is 'four'"),
        ({"mlp_ratios": None}, r"mlp_ratios is null .* weights beside it have \[4, 4, 4, 4\]"),
        ({"hidden_act": "gelu_new"}, "hidden_act is 'gelu_new': only 'gelu' is computed here"),
        ({"strides": [4, 2, 2, 4]}, r"strides is \[4, 2, 2, 4\]: only"),
        ({"use_conv_stem": True}, "use_conv_stem is true: this key is not understood here"),
    ],
)
def test_a_configuration_that_asks_for_something_else(config, said, tmp_path):
    folder = folder_with(tmp_path, config)
    with pytest.raises(InputError, match=rf"config\.json: {said}"):
        read_mit(folder)


def test_another_normalisation(tmp_path):
    folder = folder_with(tmp_path, processor={"image_mean": [0.5, 0.5, 0.5]})
    with pytest.raises(InputError, match=r"preprocessor_config\.json: image_mean is \[0\.5,"):
        read_mit(folder)


def test_nothing_in_it_is_run(tmp_path):
    class Attack:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "attacked"),)

    torch.save({"norm4.weight": Attack()}, tmp_path / "mit_b1.pth")
    with pytest.raises(InputError, match=re.escape("refused, its pickle asks for")):
        read_mit(tmp_path / "mit_b1.pth")
    assert not (tmp_path / "attacked").exists()
