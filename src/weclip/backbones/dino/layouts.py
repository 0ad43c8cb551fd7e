"""DINOv2 weights under our own names, from those of the hub or of Hugging Face.

Stage 2. The numbers are the same; Hugging Face stores queries, keys and values apart. LayerScale
multiplies a layer's output channel by channel, so its factors go into that layer.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from torch import Tensor

from weclip.backbones.weight_files.names import join

Renaming = tuple[tuple[str, str], ...]

HUB: Renaming = (
    (r"cls_token", "class_token"),
    (r"pos_embed", "positional_embedding"),
    (r"register_tokens", "registers"),
    (r"mask_token", "mask_token"),
    (r"patch_embed\.proj\.", "patch_embedding."),
    (r"norm\.", "norm."),
    (r"blocks\.(\d+)\.norm([12])\.", r"transformer.resblocks.\1.ln_\2."),
    (r"blocks\.(\d+)\.attn\.qkv\.", r"transformer.resblocks.\1.attn.in_proj_"),
    (r"blocks\.(\d+)\.attn\.proj\.", r"transformer.resblocks.\1.attn.out_proj."),
    (r"blocks\.(\d+)\.mlp\.fc1\.", r"transformer.resblocks.\1.mlp.c_fc."),
    (r"blocks\.(\d+)\.mlp\.fc2\.", r"transformer.resblocks.\1.mlp.c_proj."),
    (r"blocks\.(\d+)\.ls([12])\.gamma", r"transformer.resblocks.\1.scale_\2"),
)
"""Names of the hub on the left, ours on the right; what they have in front of them is the same."""

HUGGING_FACE: Renaming = (
    (r"embeddings\.(cls_token|mask_token|register_tokens)", r"\1"),
    (r"embeddings\.position_embeddings", "pos_embed"),
    (r"embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
    (r"layernorm\.", "norm."),
    (r"encoder\.layer\.(\d+)\.norm([12])\.", r"blocks.\1.norm\2."),
    (r"encoder\.layer\.(\d+)\.attention\.output\.dense\.", r"blocks.\1.attn.proj."),
    (r"encoder\.layer\.(\d+)\.mlp\.fc([12])\.", r"blocks.\1.mlp.fc\2."),
    (r"encoder\.layer\.(\d+)\.layer_scale([12])\.lambda1", r"blocks.\1.ls\2.gamma"),
)
"""Names of Transformers' Dinov2Model and Dinov2WithRegistersModel on the left, the hub's right."""

APART = re.compile(r"encoder\.layer\.(\d+)\.attention\.attention\.(query|key|value)\.(.+)")

SCALED = {"scale_1": "attn.out_proj", "scale_2": "mlp.c_proj"}
"""LayerScale's factors, and the layer whose output each multiplies."""


def is_hugging_face(names: Iterable[str]) -> bool:
    """Whether the names are those of Transformers."""
    return any(name.startswith(("embeddings.", "encoder.layer.")) for name in names)


def hub_names(state: Mapping[str, Tensor], file: Path) -> dict[str, Tensor]:
    """Rename and join what has Transformers' names; what nothing maps to is kept as it is.

    Args:
        state: Tensors by name.
        file: Where they come from, for messages.

    Raises:
        InputError: A block's query, key and value do not fit together.
    """
    mapped = {}
    for name, value in state.items():
        block = APART.fullmatch(name)
        if block is None:
            mapped[_renamed(name, HUGGING_FACE)] = value
            continue
        joined = f"blocks.{block[1]}.attn.qkv.{block[3]}"
        if joined not in mapped:
            start = name[: block.start(2)]
            parts = [f"{start}{part}.{block[3]}" for part in ("query", "key", "value")]
            mapped[joined] = join(state, parts, "a whole DINOv2", file)
    return mapped


def our_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename what has the hub's names; what nothing maps to is kept as it is.

    >>> import torch
    >>> list(our_names({"blocks.11.attn.qkv.bias": torch.zeros(3)}))
    ['transformer.resblocks.11.attn.in_proj_bias']
    """
    return {_renamed(name, HUB): value for name, value in state.items()}


def _renamed(name: str, renaming: Renaming) -> str:
    for pattern, replacement in renaming:
        renamed, count = re.subn("^" + pattern, replacement, name)
        if count:
            return renamed
    return name


def fold_layer_scale(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Multiply LayerScale's factors into the layers before them; they are gone then."""
    folded = dict(state)
    for name in state:
        block, _, factor = name.rpartition(".")
        if factor in SCALED:
            scale = folded.pop(name)
            layer = f"{block}.{SCALED[factor]}"
            folded[f"{layer}.weight"] = scale[:, None] * folded[f"{layer}.weight"]
            folded[f"{layer}.bias"] = scale * folded[f"{layer}.bias"]
    return folded
