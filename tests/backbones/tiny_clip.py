"""A small random CLIP in both layouts, written from the published weights and not from our code."""

import copy
from functools import cache

import torch
from torch import nn

DELETED = object()
"""Takes a key out of a configuration."""

TINY = {
    "width": 64,
    "blocks": 2,
    "patch": 4,
    "grid": 3,
    "joint": 32,
    "text_width": 16,
    "text_blocks": 2,
    "words": 49408,
}


HUGGING_FACE = {
    "model_type": "clip",
    "projection_dim": 32,
    "vision_config": {
        "hidden_size": 64,
        "intermediate_size": 256,
        "num_attention_heads": 1,
        "num_hidden_layers": 2,
        "patch_size": 4,
        "image_size": 12,
    },
    "text_config": {
        "hidden_size": 16,
        "intermediate_size": 64,
        "num_attention_heads": 1,
        "num_hidden_layers": 2,
    },
}
"""Transformers' configuration of the tiny CLIP: what differs from its defaults."""

OPEN_CLIP = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 12, "layers": 2, "width": 64, "patch_size": 4},
    "text_cfg": {"width": 16, "heads": 1, "layers": 2},
}
"""OpenCLIP's configuration of the tiny CLIP."""


def changed(config, **changes):
    """A copy with other values; `vision_cfg__width=1` goes into a section, DELETED takes it out."""
    config = copy.deepcopy(config)
    for path, value in changes.items():
        *sections, key = path.split("__")
        inner = config
        for section in sections:
            inner = inner.setdefault(section, {})
        if value is DELETED:
            del inner[key]
        else:
            inner[key] = value
    return config


def openai_shapes(
    *, width, blocks, patch, grid, joint, text_width, text_blocks, words=49408, context=77
):
    """Names and shapes of a ViT CLIP, written from the published weights."""
    shapes = {
        "visual.class_embedding": (width,),
        "visual.positional_embedding": (grid * grid + 1, width),
        "visual.proj": (width, joint),
        "visual.conv1.weight": (width, 3, patch, patch),
        "positional_embedding": (context, text_width),
        "text_projection": (text_width, joint),
        "token_embedding.weight": (words, text_width),
        "logit_scale": (),
    }
    norms = {"visual.ln_pre": width, "visual.ln_post": width, "ln_final": text_width}
    for tower, size, depth in (("visual.", width, blocks), ("", text_width, text_blocks)):
        for index in range(depth):
            block = f"{tower}transformer.resblocks.{index}."
            norms |= {block + "ln_1": size, block + "ln_2": size}
            for name, rows, columns in (
                ("attn.in_proj_", 3 * size, size),
                ("attn.out_proj.", size, size),
                ("mlp.c_fc.", 4 * size, size),
                ("mlp.c_proj.", size, 4 * size),
            ):
                shapes[f"{block}{name}weight"] = (rows, columns)
                shapes[f"{block}{name}bias"] = (rows,)
    for name, size in norms.items():
        shapes |= {f"{name}.weight": (size,), f"{name}.bias": (size,)}
    return shapes


def tiny_state():
    """Random float16 tensors in OpenAI layout, made once; only the dict is the caller's own."""
    return dict(_tiny_tensors())


@cache
def _tiny_tensors():
    generator = torch.Generator().manual_seed(0)
    tensors = {
        name: (0.1 * torch.randn(shape, generator=generator)).half()
        for name, shape in openai_shapes(**TINY).items()
    }
    return tensors | {"logit_scale": torch.tensor(4.6052, dtype=torch.float16)}


def to_hugging_face(state):
    """The inverse of the mapping under test, by text replacement."""
    replacements = (
        ("visual.transformer.resblocks", "vision_model.encoder.layers"),
        ("visual.class_embedding", "vision_model.embeddings.class_embedding"),
        ("visual.positional_embedding", "vision_model.embeddings.position_embedding.weight"),
        ("visual.conv1.weight", "vision_model.embeddings.patch_embedding.weight"),
        ("visual.ln_pre", "vision_model.pre_layrnorm"),
        ("visual.ln_post", "vision_model.post_layernorm"),
        ("visual.proj", "visual_projection.weight"),
        ("token_embedding", "text_model.embeddings.token_embedding"),
        ("ln_final", "text_model.final_layer_norm"),
        ("ln_1", "layer_norm1"),
        ("ln_2", "layer_norm2"),
        ("mlp.c_fc", "mlp.fc1"),
        ("mlp.c_proj", "mlp.fc2"),
        ("attn.", "self_attn."),
    )
    out = {"vision_model.embeddings.position_ids": torch.arange(10)[None]}
    for name, value in state.items():
        if name == "positional_embedding":
            name = "text_model.embeddings.position_embedding.weight"
        elif name == "text_projection":
            name, value = "text_projection.weight", value.T.contiguous()
        elif name == "visual.proj":
            value = value.T.contiguous()
        elif name.startswith("transformer.resblocks"):
            name = name.replace("transformer.resblocks", "text_model.encoder.layers")
        for old, new in replacements:
            name = name.replace(old, new)
        if "in_proj_" in name:
            third = len(value) // 3
            for index, letter in enumerate("qkv"):
                part = value[index * third : (index + 1) * third].clone()
                out[name.replace("in_proj_", f"{letter}_proj.")] = part
        else:
            out[name] = value
    return out


class Node(nn.Module):
    """A branch of the module tree that a state dict describes."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def module_tree(state):
    """Nested modules with the parameter names of a state dict."""
    root = Node()
    for name, value in state.items():
        *parents, last = name.split(".")
        node = root
        for parent in parents:
            if parent not in node._modules:
                child = nn.ModuleList() if parent == "resblocks" else Node()
                node.add_module(parent, child)
            node = node._modules[parent]
        node.register_parameter(last, nn.Parameter(value, requires_grad=False))
    return root
