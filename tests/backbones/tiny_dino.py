"""A small random DINOv2 in both layouts, written from the published files and not from our code."""

from functools import cache

import torch

TINY = {"width": 128, "blocks": 2, "patch": 4, "grid": 3}

HUGGING_FACE = {
    "model_type": "dinov2",
    "architectures": ["Dinov2Model"],
    "apply_layernorm": True,
    "attention_probs_dropout_prob": 0.0,
    "drop_path_rate": 0.0,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.0,
    "hidden_size": 128,
    "image_size": 12,
    "initializer_range": 0.02,
    "layer_norm_eps": 1e-06,
    "layerscale_value": 1.0,
    "mlp_ratio": 4,
    "num_attention_heads": 2,
    "num_channels": 3,
    "num_hidden_layers": 2,
    "out_features": ["stage2"],
    "out_indices": [2],
    "patch_size": 4,
    "qkv_bias": True,
    "reshape_hidden_states": True,
    "stage_names": ["stem", "stage1", "stage2"],
    "torch_dtype": "float32",
    "transformers_version": "4.32.0.dev0",
    "use_swiglu_ffn": False,
}
"""Transformers' configuration of the tiny DINOv2, with the keys of `facebook/dinov2-small`."""

WITH_REGISTERS = HUGGING_FACE | {
    "model_type": "dinov2_with_registers",
    "architectures": ["Dinov2WithRegistersModel"],
    "interpolate_antialias": True,
    "interpolate_offset": 0.0,
    "num_register_tokens": 4,
}

PROCESSOR = {
    "crop_size": {"height": 224, "width": 224},
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
    "rescale_factor": 0.00392156862745098,
    "resample": 3,
}


def hub_shapes(*, width, blocks, patch, grid, registers=0):
    """Names and shapes of torch.hub's DINOv2, written from the published weights."""
    shapes = {
        "cls_token": (1, 1, width),
        "pos_embed": (1, grid * grid + 1, width),
        "mask_token": (1, width),
        "patch_embed.proj.weight": (width, 3, patch, patch),
        "patch_embed.proj.bias": (width,),
        "norm.weight": (width,),
        "norm.bias": (width,),
    }
    if registers:
        shapes["register_tokens"] = (1, registers, width)
    for index in range(blocks):
        block = f"blocks.{index}."
        for name in ("norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias"):
            shapes[block + name] = (width,)
        for name, rows, columns in (
            ("attn.qkv.", 3 * width, width),
            ("attn.proj.", width, width),
            ("mlp.fc1.", 4 * width, width),
            ("mlp.fc2.", width, 4 * width),
        ):
            shapes[f"{block}{name}weight"] = (rows, columns)
            shapes[f"{block}{name}bias"] = (rows,)
        shapes |= {f"{block}ls1.gamma": (width,), f"{block}ls2.gamma": (width,)}
    return shapes


def tiny_dino(registers=0):
    """Random float16 tensors in the hub's names, made once; only the dict is the caller's own."""
    return dict(_tiny_tensors(registers))


@cache
def _tiny_tensors(registers):
    generator = torch.Generator().manual_seed(0)
    shapes = hub_shapes(**TINY, registers=registers)
    return {
        name: (0.1 * torch.randn(shape, generator=generator)).half()
        for name, shape in shapes.items()
    }


def to_hugging_face(state):
    """The inverse of the mapping under test, by text replacement."""
    replacements = (
        ("cls_token", "embeddings.cls_token"),
        ("mask_token", "embeddings.mask_token"),
        ("register_tokens", "embeddings.register_tokens"),
        ("pos_embed", "embeddings.position_embeddings"),
        ("patch_embed.proj", "embeddings.patch_embeddings.projection"),
        ("blocks.", "encoder.layer."),
        ("attn.proj", "attention.output.dense"),
        ("ls1.gamma", "layer_scale1.lambda1"),
        ("ls2.gamma", "layer_scale2.lambda1"),
    )
    out = {}
    for name, value in state.items():
        if name.startswith("norm."):
            name = f"layer{name}"
        for old, new in replacements:
            name = name.replace(old, new)
        if "attn.qkv" not in name:
            out[name] = value
            continue
        third = len(value) // 3
        for index, part in enumerate(("query", "key", "value")):
            rows = value[index * third : (index + 1) * third].clone()
            out[name.replace("attn.qkv", f"attention.attention.{part}")] = rows
    return out
