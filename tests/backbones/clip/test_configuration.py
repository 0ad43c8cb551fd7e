"""What configurations beside the weights say is computed, or refused by name."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tests.backbones.clip.test_weights import assert_holds
from tests.backbones.tiny_clip import (
    DELETED,
    HUGGING_FACE,
    OPEN_CLIP,
    changed,
    openai_shapes,
    to_hugging_face,
)

from weclip.backbones.clip.configuration.computation import KNOWN, settle
from weclip.backbones.clip.image_encoder import CLIP_MEAN
from weclip.backbones.clip.tokenizer import merge_table
from weclip.backbones.clip.weights import load_clip
from weclip.backbones.transformer import GELU, BlockSettings, QuickGELU
from weclip.build import demo_clip
from weclip.prepare.sources import PUBLISHED
from weclip.system.errors import InputError
from weclip.system.files import sha256_of


def settings_in(encoder):
    """What an encoder's first block computes, read from its modules."""
    block = encoder.transformer.blocks[0]
    names = {GELU: "gelu", QuickGELU: "quick_gelu"}
    assert {b.attn.heads for b in encoder.transformer.blocks} == {block.attn.heads}
    return BlockSettings(block.attn.heads, names[type(block.mlp.gelu)], block.ln_1.eps)


@pytest.fixture
def load(state, tmp_path):
    """Load the tiny CLIP with a configuration beside it, and perhaps other files."""

    def load_with(name, config, **others):
        theirs = name == "config.json"
        weights = "model.safetensors" if theirs else "open_clip_model.safetensors"
        save_file(to_hugging_face(state) if theirs else state, tmp_path / weights)
        for file, content in {name: config, **others}.items():
            text = content if isinstance(content, str) else json.dumps(content)
            (tmp_path / file).write_text(text, encoding="utf-8")
        return load_clip(tmp_path)

    return load_with


OPEN_CLIP_ACCEPTED = {
    "as stored": ({}, BlockSettings(1, "gelu")),
    "quick_gelu": ({"quick_gelu": True}, BlockSettings(1, "quick_gelu")),
    "quick_gelu off": ({"quick_gelu": False}, BlockSettings(1, "gelu")),
    "heads": ({"vision_cfg__head_width": 16, "text_cfg__heads": 4}, BlockSettings(4, "gelu")),
    "epsilon": (
        {"vision_cfg__norm_kwargs": {"eps": 1e-6}, "text_cfg__norm_kwargs": {"eps": 1e-6}},
        BlockSettings(1, "gelu", 1e-6),
    ),
    "act": (
        {"vision_cfg__act": "quick_gelu", "text_cfg__act": "quick_gelu"},
        BlockSettings(1, "quick_gelu"),
    ),
    "what changes nothing": (
        {
            "custom_text": True,
            "init_logit_bias": -10,
            "vision_cfg__patch_dropout": 0.5,
            "vision_cfg__ls_init_value": None,
            "vision_cfg__mlp_ratio": 4,
            "vision_cfg__image_size": [12, 12],
            "vision_cfg__timm_model_name": None,
            "vision_cfg__pool_type": "tok",
            "vision_cfg__not_yet_known": None,
            "text_cfg__act_kwargs": {},
            "text_cfg__hf_tokenizer_name": "openai/clip-vit-large-patch14",
            "text_cfg__pool_type": "argmax",
            "text_cfg__final_ln_after_pool": True,
            "multimodal_cfg": None,
        },
        BlockSettings(1, "gelu"),
    ),
}


@pytest.mark.parametrize("kind", OPEN_CLIP_ACCEPTED)
@pytest.mark.parametrize("whole", [True, False])
def test_open_clip_is_computed(kind, whole, load, state):
    changes, expected = OPEN_CLIP_ACCEPTED[kind]
    config = changed(OPEN_CLIP, **changes)
    clip = load("open_clip_config.json", {"model_cfg": config} if whole else config)
    assert settings_in(clip.image) == settings_in(clip.text) == expected
    assert clip.image.ln_pre.eps == clip.image.ln_post.eps == clip.text.ln_final.eps == expected.eps
    assert clip.note is None
    assert_holds(clip, state)


OPEN_CLIP_REFUSED = {
    "resnet": ({"vision_cfg__layers": [3, 4, 6, 3]}, r"layers is \[3, 4, 6, 3\]: a ResNet"),
    "convnext": (
        {"vision_cfg__timm_model_name": "convnext_base"},
        r'vision_cfg\.timm_model_name is "convnext_base": only null or "" is computed here',
    ),
    "layer scale": ({"vision_cfg__ls_init_value": 0.1}, "ls_init_value is 0.1: only null"),
    "layer scale of the text": ({"text_cfg__ls_init_value": 1e-5}, "text_cfg.ls_init_value"),
    "average": ({"vision_cfg__pool_type": "avg"}, 'pool_type is "avg": only "tok" is computed'),
    "attention pooling": ({"vision_cfg__attentional_pool": True}, "attentional_pool is true"),
    "no norm before": ({"vision_cfg__no_ln_pre": True}, "vision_cfg.no_ln_pre is true"),
    "CLIPA's older word for it": ({"vision_cfg__ln_pre": False}, "ln_pre is false: this key is"),
    "sine positions": ({"vision_cfg__pos_embed_type": "sin_cos_2d"}, 'only "learnable" is'),
    "approximate": (
        {"vision_cfg__act_kwargs": {"approximate": "tanh"}},
        r'act_kwargs is \{"approximate": "tanh"\}',
    ),
    "activation": ({"text_cfg__act": "relu"}, 'act is "relu": only quick_gelu and gelu are comp'),
    "norm": ({"text_cfg__norm_kwargs": {"bias": False}}, "norm_kwargs.bias is false: this key"),
    "normed keys": ({"vision_cfg__qk_norm": True}, "qk_norm is true"),
    "not causal": ({"text_cfg__no_causal_mask": True}, "text_cfg.no_causal_mask is true"),
    "last token": ({"text_cfg__pool_type": "last"}, 'pool_type is "last": only "argmax"'),
    "class token": ({"text_cfg__embed_cls": True}, "embed_cls is true"),
    "projection": ({"text_cfg__proj_type": "none"}, 'proj_type is "none": only "linear"'),
    "bias": ({"text_cfg__proj_bias": True}, "proj_bias is true"),
    "tokenizer": (
        {"text_cfg__hf_tokenizer_name": "bert-base-uncased"},
        r'hf_tokenizer_name is "bert-base-uncased": only OpenAI\'s tokenizer is read here',
    ),
    "clean": (
        {"text_cfg__tokenizer_kwargs": {"clean": "canonicalize"}},
        r'tokenizer_kwargs is \{"clean": "canonicalize"\}',
    ),
    "roberta": ({"text_cfg__hf_model_name": "roberta-base"}, "hf_model_name is"),
    "coca": ({"multimodal_cfg": {"width": 1}}, "model_cfg.multimodal_cfg is"),
    "unknown": ({"vision_cfg__rope": True}, "vision_cfg.rope is true: this key is not understood"),
    "unknown on top": ({"experts": 8}, "model_cfg.experts is 8: this key is not understood"),
    "quick_gelu": ({"quick_gelu": "yes"}, 'quick_gelu is "yes": only true and false'),
    "another vocabulary": ({"text_cfg__vocab_size": 32000}, "vocab_size is 32000"),
    "heads": ({"text_cfg__heads": 3}, "heads is 3: 3 heads do not divide the width 64"),
    "head width": ({"vision_cfg__head_width": 60}, "head_width is 60: .* do not divide"),
    "other weights' blocks": ({"vision_cfg__layers": 12}, "but the weights beside it have 2"),
    "other weights' grid": ({"vision_cfg__image_size": 16}, r"patch_size is 4 .* have 3"),
    "other weights' mlp": ({"text_cfg__mlp_ratio": 5}, r"mlp_ratio is 320 .* have 256"),
    "other weights' joint size": ({"embed_dim": 512}, "embed_dim is 512 .* have 32"),
    "no joint size": ({"embed_dim": DELETED}, "embed_dim is null: no whole number over 0"),
    "zero": ({"vision_cfg__width": 0}, "width is 0: no whole number over 0"),
    "text": ({"vision_cfg__width": "wide"}, 'width is "wide": no whole number over 0'),
    "yes": ({"vision_cfg__width": True}, "width is true: no whole number over 0"),
    "epsilon": ({"text_cfg__norm_kwargs": {"eps": "small"}}, 'eps is "small": no number over 0'),
    "a list": ({"vision_cfg": [1, 2]}, r"vision_cfg is \[1, 2\]: is no object"),
    "long": ({"vision_cfg__rope": "x" * 9999}, r'rope is "x{59}\.\.\.: this key'),
}


def assert_refused(message, tmp_path, run):
    with pytest.raises(InputError, match=message) as caught:
        run()
    text = str(caught.value)
    assert text.startswith(str(tmp_path))
    assert "\n" not in text
    assert len(text) < 500
    assert ";" in text  # a way out


@pytest.mark.parametrize("kind", OPEN_CLIP_REFUSED)
def test_open_clip_is_refused_by_name(kind, load, tmp_path):
    changes, message = OPEN_CLIP_REFUSED[kind]
    config = {"model_cfg": changed(OPEN_CLIP, **changes)}
    assert_refused(message, tmp_path, lambda: load("open_clip_config.json", config))


HUGGING_FACE_ACCEPTED = {
    "as stored": ({}, BlockSettings(1, "quick_gelu")),
    "laion": (
        {"vision_config__hidden_act": "gelu", "text_config__hidden_act": "gelu"},
        BlockSettings(1, "gelu"),
    ),
    "heads": (
        {"vision_config__num_attention_heads": 16, "text_config__num_attention_heads": 16},
        BlockSettings(16, "quick_gelu"),
    ),
    "epsilon": (
        {"vision_config__layer_norm_eps": 1e-6, "text_config__layer_norm_eps": 1e-6},
        BlockSettings(1, "quick_gelu", 1e-6),
    ),
    "what changes nothing": (
        {
            "architectures": ["CLIPModel"],
            "torch_dtype": "float32",
            "transformers_version": "4.24.0",
            "text_config_dict": None,
            "logit_scale_init_value": 2.6592,
            "vision_config__attention_dropout": 0.1,
            "vision_config__dropout": 0.1,
            "vision_config__model_type": "clip_vision_model",
            "vision_config__num_channels": 3,
            "vision_config__projection_dim": 512,
            "vision_config__pruned_heads": {},
            "text_config__eos_token_id": 2,
            "text_config__bos_token_id": 0,
            "text_config__top_k": 50,
            "text_config__a_future_key": None,
        },
        BlockSettings(1, "quick_gelu"),
    ),
    "no type": ({"model_type": DELETED}, BlockSettings(1, "quick_gelu")),
}


@pytest.mark.parametrize("kind", HUGGING_FACE_ACCEPTED)
def test_hugging_face_is_computed(kind, load, state):
    changes, expected = HUGGING_FACE_ACCEPTED[kind]
    clip = load("config.json", changed(HUGGING_FACE, **changes))
    assert settings_in(clip.image) == settings_in(clip.text) == expected
    assert clip.note is None
    assert_holds(clip, state)


HUGGING_FACE_REFUSED = {
    "siglip": ({"model_type": "siglip"}, 'model_type is "siglip": only "clip" is computed here'),
    "chinese": ({"model_type": "chinese_clip"}, 'model_type is "chinese_clip"'),
    "another text": ({"text_config__model_type": "bert"}, 'text_config.model_type is "bert"'),
    "activation": (
        {"text_config__hidden_act": "gelu_new"},
        'text_config.hidden_act is "gelu_new": only quick_gelu and gelu are computed here',
    ),
    "code": ({"auto_map": {"AutoModel": "m.Clip"}}, "auto_map is .*: this key is not understood"),
    "quantised": ({"quantization_config": {"bits": 4}}, "quantization_config is"),
    "pruned": ({"vision_config__pruned_heads": {"0": [1]}}, "pruned_heads is"),
    "unknown": ({"vision_config__rope": True}, "vision_config.rope is true: this key is not"),
    "end of text": ({"text_config__eos_token_id": 102}, "eos_token_id is 102: only 2 or 49407"),
    "channels": ({"vision_config__num_channels": 4}, "num_channels is 4: only 3 is computed"),
    "vocabulary": ({"text_config__vocab_size": 21128}, "vocab_size is 21128 .* have 49408"),
    "positions": ({"text_config__max_position_embeddings": 248}, "is 248 .* have 77"),
    "heads": ({"vision_config__num_attention_heads": 7}, "7 heads do not divide the width 64"),
    "default heads": (
        {"vision_config__num_attention_heads": DELETED},
        "num_attention_heads is 12: 12 heads do not divide the width 64",
    ),
    "default width": (
        {"text_config": {}},
        r"text_config\.hidden_size is 512 \(a default where it is left out\), .* have 64",
    ),
    "no towers": (
        {"vision_config": DELETED, "text_config": None},
        "hidden_size is 768 .* have 64",
    ),
    "older words": ({"text_config_dict": {"hidden_act": "gelu"}}, "hidden_size is 512 .* have 64"),
    "a list": ({"text_config": [1]}, r"text_config is \[1\]: is no object"),
    "epsilon": ({"vision_config__layer_norm_eps": 0}, "layer_norm_eps is 0: no number over 0"),
    "patches": ({"vision_config__patch_size": [4, 8]}, r"patch_size is \[4, 8\]: no whole number"),
}


@pytest.mark.parametrize("kind", HUGGING_FACE_REFUSED)
def test_hugging_face_is_refused_by_name(kind, load, tmp_path):
    changes, message = HUGGING_FACE_REFUSED[kind]
    config = changed(HUGGING_FACE, **changes)
    assert_refused(message, tmp_path, lambda: load("config.json", config))


@pytest.mark.parametrize("content", ["{", "[]", '{"a": 1}', "7", "[" * 99_999])
def test_a_configuration_that_is_none(content, load, tmp_path):
    message = r"not JSON|not an object of JSON|a is 1: this key is not understood"
    with pytest.raises(InputError, match=message):
        load("config.json", content)


def test_the_configuration_of_its_own_library_comes_first(load):
    """LAION's folders hold both."""
    theirs = {"model_cfg": OPEN_CLIP}
    clip = load("open_clip_config.json", theirs, **{"config.json": HUGGING_FACE})
    assert settings_in(clip.image).activation == "gelu"
    clip = load("config.json", HUGGING_FACE, **{"open_clip_config.json": theirs})
    assert settings_in(clip.image).activation == "quick_gelu"  # model.safetensors: Transformers'


def test_another_name_of_open_clips_configuration(load):
    clip = load("open_clip_model_config.json", OPEN_CLIP | {"quick_gelu": True})
    assert settings_in(clip.image).activation == "quick_gelu"
    assert clip.note is None


def test_a_file_named_directly_reads_what_lies_beside_it(state, tmp_path):
    save_file(state, tmp_path / "my.safetensors")
    config = changed(HUGGING_FACE, vision_config__hidden_act="gelu", text_config__hidden_act="gelu")
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert settings_in(load_clip(tmp_path / "my.safetensors").text).activation == "gelu"


def test_another_models_configuration_beside_a_file(state, tmp_path):
    """A folder of many weights: the configuration of a BERT says nothing of this file."""
    torch.save(state, tmp_path / "ViT-B-16.pt")
    (tmp_path / "config.json").write_text('{"model_type": "bert", "hidden_size": 768}')
    clip = load_clip(tmp_path / "ViT-B-16.pt")
    assert settings_in(clip.image) == BlockSettings(1, "quick_gelu")
    assert "nothing tells its activation" in clip.note


PREPROCESS_REFUSED = {
    "zero": ({"std": [0, 1, 1]}, "deviations must be over 0"),
    "two": ({"mean": [0.5, 0.5]}, "expected three numbers"),
    "text": ({"mean": "imagenet"}, "expected three numbers"),
}


@pytest.mark.parametrize("kind", PREPROCESS_REFUSED)
def test_a_normalisation_that_is_none(kind, load):
    preprocess, message = PREPROCESS_REFUSED[kind]
    with pytest.raises(InputError, match=message):
        load("open_clip_config.json", {"model_cfg": OPEN_CLIP, "preprocess_cfg": preprocess})


def test_pixels_scaled_otherwise_are_refused(load):
    with pytest.raises(InputError, match=r"rescale_factor is 1\.0: only 1/255 is computed"):
        load("config.json", HUGGING_FACE, **{"preprocessor_config.json": {"rescale_factor": 1.0}})


NORMALISED = {
    "three": ("preprocessor_config.json", {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5] * 3}),
    "within a processor": (
        "processor_config.json",
        {"image_processor": {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5] * 3}},
    ),
}


@pytest.mark.parametrize("kind", NORMALISED)
def test_the_normalisation_goes_into_the_first_layer(kind, load, state):
    name, content = NORMALISED[kind]
    clip = load("config.json", HUGGING_FACE, **{name: content})
    rgb = torch.rand(1, 3, 12, 12)
    mean = torch.tensor(CLIP_MEAN)[:, None, None]
    std = torch.tensor((0.26862954, 0.26130258, 0.27577711))[:, None, None]
    weight = state["visual.conv1.weight"].float()
    expected = torch.nn.functional.conv2d((rgb - 0.5) / 0.5, weight, stride=4)
    shift = clip.image.positional_embedding[1:] - state["visual.positional_embedding"][1:].float()
    found = clip.image.conv1((rgb - mean) / std) + shift[0][:, None, None]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert torch.equal(
        clip.image.positional_embedding[0], state["visual.positional_embedding"][0].float()
    )


def test_open_clip_names_its_normalisation(load, state):
    preprocess = {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic"}
    clip = load("open_clip_config.json", {"model_cfg": OPEN_CLIP, "preprocess_cfg": preprocess})
    assert not torch.equal(clip.image.conv1.weight, state["visual.conv1.weight"].float())


def merges_text(pairs):
    return "\n".join(["#version: 0.2", *(" ".join(pair) for pair in pairs), ""])


def swapped():
    first, second, *rest = merge_table()
    return [second, first, *rest]


TOKENIZERS = {
    "merges.txt": merges_text,
    "tokenizer.json": lambda pairs: json.dumps({"model": {"merges": [" ".join(p) for p in pairs]}}),
}


@pytest.mark.parametrize("name", TOKENIZERS)
def test_openais_tokenizer_beside_the_weights(name, load):
    load("config.json", HUGGING_FACE, **{name: TOKENIZERS[name](merge_table())})


def test_pairs_written_as_lists(load):
    content = {"model": {"merges": [list(pair) for pair in merge_table()]}}
    load("config.json", HUGGING_FACE, **{"tokenizer.json": content})


@pytest.mark.parametrize("name", TOKENIZERS)
def test_another_merge_table_is_refused(name, load):
    """A vocabulary of the same size that cuts words otherwise."""
    with pytest.raises(InputError, match=f"{name}: another tokenizer than OpenAI's"):
        load("config.json", HUGGING_FACE, **{name: TOKENIZERS[name](swapped())})


@pytest.mark.parametrize("model", [{"type": "WordPiece"}, None, {"merges": [7]}])
def test_another_kind_of_tokenizer_is_refused(model, load):
    with pytest.raises(InputError, match=r"tokenizer\.json: another tokenizer than OpenAI's"):
        load("config.json", HUGGING_FACE, **{"tokenizer.json": {"model": model}})


def test_what_is_assumed_is_said(state, tmp_path):
    torch.save(state, tmp_path / "clip.pt")
    clip = load_clip(tmp_path / "clip.pt")
    assert settings_in(clip.image) == settings_in(clip.text) == BlockSettings(1, "quick_gelu")
    assert clip.note == (
        f"{tmp_path / 'clip.pt'}: nothing tells its activation; quick_gelu, as in OpenAI's, is "
        "assumed. CLIPs of LAION, DataComp and OpenCLIP mostly need gelu: set "
        "clip.activation=gelu, or put config.json or open_clip_config.json beside the weights"
    )


@pytest.mark.parametrize("activation", ["gelu", "quick_gelu"])
def test_what_is_told_is_computed_without_a_word(activation, state, tmp_path):
    torch.save(state, tmp_path / "clip.pt")
    clip = load_clip(tmp_path / "clip.pt", activation)
    assert settings_in(clip.image) == settings_in(clip.text) == BlockSettings(1, activation)
    assert clip.note is None


def test_overruling_a_configuration_is_said(load, tmp_path):
    load("open_clip_config.json", {"model_cfg": OPEN_CLIP})
    clip = load_clip(tmp_path, "quick_gelu")
    assert settings_in(clip.image) == BlockSettings(1, "quick_gelu")
    assert clip.note == (
        f"{tmp_path / 'open_clip_model.safetensors'}: {tmp_path / 'open_clip_config.json'} says "
        "gelu, but clip.activation=quick_gelu is computed; clip.activation=auto follows the weights"
    )
    assert load_clip(tmp_path, "gelu").note is None


@pytest.mark.parametrize("activation", ["GELU", "relu", "", "quickgelu"])
def test_an_activation_that_there_is_not(activation, tmp_path):
    message = f"clip.activation={activation} is not allowed; it must be auto or quick_gelu or gelu"
    with pytest.raises(InputError, match=message):
        load_clip(tmp_path / "nothing.pt", activation)


def test_known_weights_need_no_configuration():
    """OpenAI's by the SHA-256 that `prepare` knows too, and the demo's."""
    published = {source.checksum for source in PUBLISHED.values() if source.name.startswith("ViT")}
    assert {checksum.removeprefix("sha256:") for checksum in published} <= KNOWN.keys()
    assert KNOWN[sha256_of(demo_clip())] == "the demo's CLIP"
    assert all(len(digest) == 64 for digest in KNOWN)
    clip = load_clip(demo_clip())
    assert clip.note is None
    assert settings_in(clip.text) == BlockSettings(1, "quick_gelu")


def test_known_weights_follow_no_configuration(tmp_path):
    """Whatever else lies in the folder."""
    (tmp_path / "clip.safetensors").write_bytes(demo_clip().read_bytes())
    (tmp_path / "open_clip_config.json").write_text(json.dumps(OPEN_CLIP))
    (tmp_path / "merges.txt").write_text("a b\n")
    clip = load_clip(tmp_path / "clip.safetensors")
    assert settings_in(clip.image).activation == "quick_gelu"
    assert clip.note is None
    overruled = load_clip(tmp_path / "clip.safetensors", "gelu")
    assert "the demo's CLIP was trained with quick_gelu, but clip.activation=gelu" in overruled.note


@pytest.mark.parametrize(("width", "heads"), [(1280, 16), (1408, 16), (1664, 16), (768, 12)])
def test_heads_of_published_widths_without_a_configuration(width, heads):
    """OpenCLIP's H/14, g/14 and bigG/14 have heads of 80, 88 and 104 channels."""
    state = {"visual.class_embedding": torch.zeros(width), "ln_final.weight": torch.zeros(1280)}
    how = settle(Path("H.pt"), state, None, known=None, activation="gelu")
    assert how.image == BlockSettings(heads, "gelu")
    assert how.text == BlockSettings(20, "gelu")  # bigG's text encoder is as wide as H's images


def test_heads_that_nothing_tells(tmp_path):
    shapes = openai_shapes(
        width=96, blocks=2, patch=4, grid=3, joint=32, text_width=64, text_blocks=1
    )
    save_file({k: torch.zeros(v) for k, v in shapes.items()}, tmp_path / "odd.safetensors")
    message = (
        "class_embedding has width 96, not a multiple of 64, so nothing tells the number of heads; "
        r"put config\.json or open_clip_config\.json beside the weights"
    )
    with pytest.raises(InputError, match=message):
        load_clip(tmp_path / "odd.safetensors")
    config = changed(OPEN_CLIP, vision_cfg__width=96, vision_cfg__head_width=32, text_cfg__layers=1)
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    assert settings_in(load_clip(tmp_path / "odd.safetensors").image).heads == 3
