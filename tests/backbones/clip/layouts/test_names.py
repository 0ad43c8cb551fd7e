"""Names of tensors as wrappers and other libraries store them, and models that are others."""

import json
import re

import pytest
import torch
from safetensors.torch import save_file
from tests.backbones.clip.test_weights import assert_holds
from tests.backbones.tiny_clip import HUGGING_FACE, openai_shapes, to_hugging_face

from weclip.backbones.clip.weights import load_clip
from weclip.system.errors import InputError


def under(prefix, state):
    return {prefix + name: value for name, value in state.items()}


def renamed(old, new, state):
    return {re.sub(old, new, name): value for name, value in state.items()}


def causal(size=77):
    return torch.full((size, size), -torch.inf).triu(1)


def text_apart(state):
    """OpenCLIP's names with `custom_text`: the text encoder is a module of its own."""
    return {
        name if name.startswith("visual.") or name == "logit_scale" else f"text.{name}": value
        for name, value in state.items()
    }


ACCEPTED = {
    "model.": lambda s: under("model.", s),
    "clip.": lambda s: under("clip.", s),
    "_orig_mod.": lambda s: under("_orig_mod.", s),
    "module.": lambda s: under("module.", s),
    "nested": lambda s: under("module._orig_mod.model.clip.", s),
    "a wrapper of ours": lambda s: under("backbone.", s),
    "compiled encoders": lambda s: renamed(r"^(visual|transformer)\.", r"\1._orig_mod.", s),
    "sharded training": lambda s: renamed(
        r"resblocks\.(\d+)\.",
        r"resblocks.\1._checkpoint_wrapped_module.",
        under("_fsdp_wrapped_module.", s),
    ),
    "a parallel encoder": lambda s: renamed(r"^visual\.", "visual.module.", s),
    "Transformers under a prefix": lambda s: under("model.clip.", to_hugging_face(s)),
    "Transformers, compiled": lambda s: under("_orig_mod.", to_hugging_face(s)),
    "a mask": lambda s: s | {"attn_mask": causal()},
    "a mask in half precision": lambda s: s | {"attn_mask": causal().half()},
    "masks of blocks": lambda s: s | {"transformer.resblocks.0.attn_mask": causal()},
    "a mask under a prefix": lambda s: under("model.", s | {"attn_mask": causal()}),
    "a bias of the logits": lambda s: s | {"logit_bias": torch.tensor(-10.0)},
    "a scale with a dimension": lambda s: s | {"logit_scale": s["logit_scale"][None]},
    "the text encoder apart": text_apart,
    "the text encoder apart, with its mask": lambda s: text_apart(s) | {"text.attn_mask": causal()},
    "positions numbered": lambda s: (
        to_hugging_face(s) | {"text_model.embeddings.position_ids": torch.arange(77)[None]}
    ),
}


@pytest.mark.parametrize("kind", ACCEPTED)
def test_names_that_are_understood(kind, state, tmp_path):
    torch.save(ACCEPTED[kind](state), tmp_path / "clip.pt")
    assert_holds(load_clip(tmp_path / "clip.pt"), state)


@pytest.mark.parametrize("holder", ["state_dict", "model_state_dict", "model"])
def test_checkpoints_of_a_training(holder, state, tmp_path):
    content = {"epoch": 3, holder: under("module.", state), "optimizer": {"step": 1}}
    torch.save(content, tmp_path / "epoch_3.pt")
    assert_holds(load_clip(tmp_path / "epoch_3.pt"), state)


def with_extra(name):
    return lambda s: s | {name: torch.zeros(1)}


REFUSED = {
    "resnet": (with_extra("visual.layer1.0.conv1.weight"), "a ResNet CLIP; use a ViT CLIP of"),
    "siglip of timm": (with_extra("visual.trunk.blocks.0.norm1.weight"), "SigLIP, ConvNeXt"),
    "mobile": (with_extra("image_encoder.model.patch_embed.weight"), "MobileCLIP"),
    "siglip": (
        lambda s: to_hugging_face(s) | {"vision_model.head.probe": torch.zeros(1)},
        "a SigLIP, which pools by attention",
    ),
    "attention pooling": (with_extra("visual.attn_pool.query"), "pools by attention"),
    "layer scale": (
        with_extra("visual.transformer.resblocks.0.ls_1.gamma"),
        r"its blocks scale layers \(layer scale\)",
    ),
    "eva": (with_extra("visual.blocks.0.attn.q_bias"), "an EVA-CLIP"),
    "chinese": (
        lambda s: to_hugging_face(s)
        | {"text_model.encoder.layer.0.attention.self.query.weight": torch.zeros(1)},
        "its text encoder is a BERT",
    ),
    "roberta": (with_extra("text.transformer.embeddings.word_embeddings.weight"), "is a BERT"),
    "coca": (with_extra("text_decoder.ln_final.weight"), "a CoCa"),
    "class token of the text": (with_extra("text.cls_emb"), "pools a class token"),
    "language model": (with_extra("language_model.model.layers.0.weight"), "a language model"),
    "prefixed all the same": (
        lambda s: under("model.", with_extra("visual.trunk.norm.weight")(s)),
        "SigLIP, ConvNeXt",
    ),
    "two clips": (
        lambda s: under("student.", s) | under("teacher.", s),
        "holds 2 CLIPs, under 'student.', 'teacher.'; save one alone",
    ),
    "with and without a wrapper": (
        lambda s: s | under("module.", {"logit_scale": s["logit_scale"]}),
        "holds logit_scale twice",
    ),
    "not causal": (
        lambda s: s | {"attn_mask": torch.zeros(77, 77)},
        "attn_mask is not causal, so the text encoder computes otherwise",
    ),
    "not a mask": (lambda s: s | {"attn_mask": torch.zeros(3)}, "attn_mask is not causal"),
    "a head beside it": (
        lambda s: under("clip.", s) | {"head.weight": torch.zeros(1)},
        r"not a whole ViT CLIP .*: unexpected head\.weight$",
    ),
    "a million blocks": (
        with_extra("visual.transformer.resblocks.999999.ln_1.weight"),
        r"names block 1000000 but holds \d\d tensors; damaged",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_other_models_are_named(kind, state, tmp_path):
    change, message = REFUSED[kind]
    torch.save(change(state), tmp_path / "clip.pt")
    with pytest.raises(InputError, match=message) as caught:
        load_clip(tmp_path / "clip.pt")
    assert str(caught.value).startswith(str(tmp_path / "clip.pt"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("words", [32_000, 49_409, 49_407, 1])
def test_another_vocabulary(words, state, tmp_path):
    """CLIPA has BERT's 32,000; ids of our tokenizer mean nothing there."""
    save_file(
        state | {"token_embedding.weight": torch.zeros(words, 16)}, tmp_path / "a.safetensors"
    )
    message = f"its vocabulary has {words} tokens, not CLIP's 49408, so another tokenizer"
    with pytest.raises(InputError, match=message):
        load_clip(tmp_path / "a.safetensors")


def test_hidden_widths_are_read_from_the_weights(tmp_path):
    """g/14 and bigG/14 have an MLP that is more than four times as wide."""
    generator = torch.Generator().manual_seed(0)
    state = {
        name: torch.randn([300 if size == 256 else size for size in shape], generator=generator)
        for name, shape in openai_shapes(
            width=64, blocks=2, patch=4, grid=3, joint=32, text_width=64, text_blocks=1
        ).items()
    }
    save_file(state, tmp_path / "clip.safetensors")
    clip = load_clip(tmp_path / "clip.safetensors")
    assert clip.image.transformer.blocks[1].mlp.c_fc.weight.shape == (300, 64)
    assert clip.text.transformer.blocks[0].mlp.c_proj.weight.shape == (64, 300)


def test_pytorch_model_bin_of_a_folder(state, tmp_path):
    torch.save(to_hugging_face(state), tmp_path / "pytorch_model.bin")
    (tmp_path / "config.json").write_text(json.dumps(HUGGING_FACE))
    assert_holds(load_clip(tmp_path), state)
