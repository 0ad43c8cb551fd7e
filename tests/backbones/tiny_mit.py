"""A small random MiT in both layouts, written from the published files and not from our code."""

import math
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
