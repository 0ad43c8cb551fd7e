"""A small random MiT in both layouts, written from the published files and not from our code."""

import math
import re
from functools import cache

import torch

WIDTHS = (16, 32, 40, 64)

HUGGING_FACE = {
    "architectures": ["SegformerForImageClassification"],
    "attention_probs_dropout_prob": 0.0,
    "classifier_dropout_prob": 0.1,
    "decoder_hidden_size": 256,
    "depths": [2, 2, 2, 2],
    "downsampling_rates": [1, 4, 8, 16],
    "drop_path_rate": 0.1,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.0,
    "hidden_sizes": list(WIDTHS),
    "image_size": 224,
    "initializer_range": 0.02,
    "layer_norm_eps": 1e-06,
    "mlp_ratios": [4, 4, 4, 4],
    "model_type": "segformer",
    "num_attention_heads": [1, 2, 5, 8],
    "num_channels": 3,
    "num_encoder_blocks": 4,
    "patch_sizes": [7, 3, 3, 3],
    "sr_ratios": [8, 4, 2, 1],
    "strides": [4, 2, 2, 2],
    "torch_dtype": "float32",
    "transformers_version": "4.12.0.dev0",
}
"""Transformers' configuration of the tiny MiT, with the keys of `nvidia/mit-b1`."""

PROCESSOR = {
    "do_normalize": True,
    "do_resize": True,
    "feature_extractor_type": "SegformerFeatureExtractor",
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
    "reduce_labels": False,
    "resample": 2,
    "size": 512,
}


def mit_shapes(widths=WIDTHS, depths=(2, 2, 2, 2), ratio=4):
    """Names and shapes of SegFormer's MiT, written from the published weights."""
    shapes, before = {}, 3
    for stage, (width, depth) in enumerate(zip(widths, depths, strict=True), start=1):
        kernel, cell = (7, 3, 3, 3)[stage - 1], (8, 4, 2, 1)[stage - 1]
        layers = {f"patch_embed{stage}.proj": (width, before, kernel, kernel)}
        layers[f"patch_embed{stage}.norm"] = (width,)
        for index in range(depth):
            block = f"block{stage}.{index}."
            layers |= {f"{block}norm1": (width,), f"{block}norm2": (width,)}
            layers |= {f"{block}attn.q": (width, width), f"{block}attn.kv": (2 * width, width)}
            layers[f"{block}attn.proj"] = (width, width)
            if cell > 1:
                layers[f"{block}attn.sr"] = (width, width, cell, cell)
                layers[f"{block}attn.norm"] = (width,)
            layers[f"{block}mlp.fc1"] = (ratio * width, width)
            layers[f"{block}mlp.dwconv.dwconv"] = (ratio * width, 1, 3, 3)
            layers[f"{block}mlp.fc2"] = (width, ratio * width)
        layers[f"norm{stage}"] = (width,)
        for name, shape in layers.items():
            shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
        before = width
    return shapes


def tiny_mit():
    """Random float16 tensors in SegFormer's names, made once; only the dict is the caller's own."""
    return dict(_tiny_tensors())


@cache
def _tiny_tensors():
    generator = torch.Generator().manual_seed(0)
    state = {}
    for name, shape in mit_shapes().items():
        scale = 0.1 if len(shape) == 1 else 1.5 * math.prod(shape[1:]) ** -0.5
        value = scale * torch.randn(shape, generator=generator)
        state[name] = (value + ("norm" in name and name.endswith("weight"))).half()
    return state


def to_hugging_face(state):
    """The inverse of the mapping under test, by text replacement."""
    replacements = (
        ("proj", "output.dense"),
        ("attn.q.", "attention.self.query."),
        ("attn.sr.", "attention.self.sr."),
        ("attn.norm.", "attention.self.layer_norm."),
        ("attn.", "attention."),
        ("norm1", "layer_norm_1"),
        ("norm2", "layer_norm_2"),
        ("fc", "dense"),
    )
    out = {}
    for name, value in state.items():
        kind, stage, rest = re.match(r"(patch_embed|block|norm)(\d)\.(.*)", name).groups()
        if kind == "patch_embed":
            rest = rest.replace("norm", "layer_norm")
        if kind == "block" and "kv" not in rest:
            for old, new in replacements:
                rest = rest.replace(old, new)
        place = {"patch_embed": "patch_embeddings", "norm": "layer_norm", "block": "block"}[kind]
        new = f"{place}.{int(stage) - 1}.{rest}"
        if "kv" not in rest:
            out[new] = value
            continue
        half = len(value) // 2
        for part, rows in (("key", value[:half]), ("value", value[half:])):
            out[new.replace("attn.kv", f"attention.self.{part}")] = rows.clone()
    return out


def to_afa(state):
    """A published checkpoint of AFA round an encoder: its heads, wrapped for several processes."""
    width = len(state["norm4.weight"])
    heads = {
        "classifier.weight": torch.zeros(20, width, 1, 1),
        "attn_proj.weight": torch.zeros(1, 16, 1, 1),
        "attn_proj.bias": torch.zeros(1),
        "decoder.linear_fuse.bn.num_batches_tracked": torch.tensor(3),
    }
    return {f"module.encoder.{k}": v for k, v in state.items()} | {
        f"module.{k}": v for k, v in heads.items()
    }
