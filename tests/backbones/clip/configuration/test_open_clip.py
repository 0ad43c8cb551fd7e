"""OpenCLIP's configuration beside the weights is computed, or refused by name."""

from pathlib import Path

import pytest
from tests.backbones.clip.configuration.computed import assert_refused, settings_in
from tests.backbones.clip.test_weights import assert_holds
from tests.backbones.tiny_clip import (
    DELETED,
    OPEN_CLIP,
    changed,
)

from weclip.backbones.clip.configuration.open_clip import read_open_clip
from weclip.backbones.transformer import BlockSettings
from weclip.backbones.weight_files.section import Section

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
        r"vision_cfg\.timm_model_name is 'convnext_base': only null or '' is computed here",
    ),
    "layer scale": ({"vision_cfg__ls_init_value": 0.1}, "ls_init_value is 0.1: only null"),
    "layer scale of the text": ({"text_cfg__ls_init_value": 1e-5}, "text_cfg.ls_init_value"),
    "average": ({"vision_cfg__pool_type": "avg"}, "pool_type is 'avg': only 'tok' is computed"),
    "attention pooling": ({"vision_cfg__attentional_pool": True}, "attentional_pool is true"),
    "no norm before": ({"vision_cfg__no_ln_pre": True}, "vision_cfg.no_ln_pre is true"),
    "CLIPA's older word for it": ({"vision_cfg__ln_pre": False}, "ln_pre is false: this key is"),
    "sine positions": ({"vision_cfg__pos_embed_type": "sin_cos_2d"}, "only 'learnable' is"),
    "approximate": (
        {"vision_cfg__act_kwargs": {"approximate": "tanh"}},
        r"act_kwargs is \{'approximate': 'tanh'\}",
    ),
    "activation": ({"text_cfg__act": "relu"}, "act is 'relu': only quick_gelu and gelu are comp"),
    "norm": ({"text_cfg__norm_kwargs": {"bias": False}}, "norm_kwargs.bias is false: this key"),
    "normed keys": ({"vision_cfg__qk_norm": True}, "qk_norm is true"),
    "not causal": ({"text_cfg__no_causal_mask": True}, "text_cfg.no_causal_mask is true"),
    "last token": ({"text_cfg__pool_type": "last"}, "pool_type is 'last': only 'argmax'"),
    "class token": ({"text_cfg__embed_cls": True}, "embed_cls is true"),
    "projection": ({"text_cfg__proj_type": "none"}, "proj_type is 'none': only 'linear'"),
    "bias": ({"text_cfg__proj_bias": True}, "proj_bias is true"),
    "tokenizer": (
        {"text_cfg__hf_tokenizer_name": "bert-base-uncased"},
        r"hf_tokenizer_name is 'bert-base-uncased': only OpenAI's tokenizer is read here",
    ),
    "clean": (
        {"text_cfg__tokenizer_kwargs": {"clean": "canonicalize"}},
        r"tokenizer_kwargs is \{'clean': 'canonicalize'\}",
    ),
    "roberta": ({"text_cfg__hf_model_name": "roberta-base"}, "hf_model_name is"),
    "coca": ({"multimodal_cfg": {"width": 1}}, "model_cfg.multimodal_cfg is"),
    "unknown": ({"vision_cfg__rope": True}, "vision_cfg.rope is true: this key is not understood"),
    "unknown on top": ({"experts": 8}, "model_cfg.experts is 8: this key is not understood"),
    "quick_gelu": ({"quick_gelu": "yes"}, "quick_gelu is 'yes': only true and false"),
    "another vocabulary": ({"text_cfg__vocab_size": 32000}, "vocab_size is 32000"),
    "heads": ({"text_cfg__heads": 3}, "heads is 3: 3 heads do not divide the width 16"),
    "head width": ({"vision_cfg__head_width": 60}, "head_width is 60: .* do not divide"),
    "other weights' blocks": ({"vision_cfg__layers": 12}, "but the weights beside it have 2"),
    "other weights' grid": ({"vision_cfg__image_size": 16}, r"patch_size is 4 .* have 3"),
    "other weights' mlp": ({"text_cfg__mlp_ratio": 5}, r"mlp_ratio is 80 .* have 64"),
    "other weights' joint size": ({"embed_dim": 512}, "embed_dim is 512 .* have 32"),
    "no joint size": ({"embed_dim": DELETED}, "embed_dim is null: no whole number over 0"),
    "zero": ({"vision_cfg__width": 0}, "width is 0: no whole number over 0"),
    "huge": ({"vision_cfg__width": 10**4000}, "not valid JSON .*beyond all sizes"),
    "not a number": ({"text_cfg__mlp_ratio": float("nan")}, "mlp_ratio is nan: no number over 0"),
    "text": ({"vision_cfg__width": "wide"}, "width is 'wide': no whole number over 0"),
    "yes": ({"vision_cfg__width": True}, "width is true: no whole number over 0"),
    "epsilon": ({"text_cfg__norm_kwargs": {"eps": "small"}}, "eps is 'small': no number over 0"),
    "a list": ({"vision_cfg": [1, 2]}, r"vision_cfg is \[1, 2\]: is no object"),
    "long": ({"vision_cfg__rope": "x" * 9999}, r"rope is 'x{56}\.\.\.: this key"),
}


@pytest.mark.parametrize("kind", OPEN_CLIP_REFUSED)
def test_open_clip_is_refused_by_name(kind, load, tmp_path):
    changes, message = OPEN_CLIP_REFUSED[kind]
    config = {"model_cfg": changed(OPEN_CLIP, **changes)}
    assert_refused(message, tmp_path, lambda: load("open_clip_config.json", config))


def test_another_name_of_open_clips_configuration(load):
    clip = load("open_clip_model_config.json", OPEN_CLIP | {"quick_gelu": True})
    assert settings_in(clip.image).activation == "quick_gelu"
    assert clip.note is None


@pytest.mark.parametrize(
    ("width", "head_width", "mlp_ratio", "heads", "hidden"),
    [
        pytest.param(1280, 80, 4.0, 16, 5120, id="H/14"),
        pytest.param(1408, 88, 4.3637, 16, 6144, id="g/14"),
        pytest.param(1664, 104, 4.9231, 16, 8192, id="bigG/14"),
        pytest.param(1792, 112, 8.5715, 16, 15360, id="e/14"),
    ],
)
def test_published_configurations(width, head_width, mlp_ratio, heads, hidden):
    vision = {"image_size": 224, "layers": 32, "width": width, "head_width": head_width}
    vision |= {"patch_size": 14, "mlp_ratio": mlp_ratio}
    text = {"context_length": 77, "vocab_size": 49408, "width": 1280, "heads": 20, "layers": 32}
    config = {"embed_dim": 1280, "vision_cfg": vision, "text_cfg": text}
    found = read_open_clip(Section(Path("open_clip_config.json"), "", config, ""))
    assert found.image == BlockSettings(heads, "gelu")
    assert found.text == BlockSettings(20, "gelu")
    assert {name: value for name, (_, value) in found.sizes.items()} == {
        "image width": width,
        "image blocks": 32,
        "image hidden": hidden,
        "patch": 14,
        "grid": 16,
        "text width": 1280,
        "text blocks": 32,
        "text hidden": 5120,
        "vocabulary": 49408,
        "context": 77,
        "joint": 1280,
    }
