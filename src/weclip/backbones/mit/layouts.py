"""MiT weights under SegFormer's names, which are ours, from those of Hugging Face.

Stage 2. The numbers are the same; Hugging Face stores keys and values apart.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from torch import Tensor

from weclip.backbones.weight_files.names import join

BLOCKS: tuple[tuple[str, str], ...] = (
    ("layer_norm_1", "norm1"),
    ("layer_norm_2", "norm2"),
    ("attention.self.query", "attn.q"),
    ("attention.self.sr", "attn.sr"),
    ("attention.self.layer_norm", "attn.norm"),
    ("attention.output.dense", "attn.proj"),
    ("mlp.dense1", "mlp.fc1"),
    ("mlp.dwconv.dwconv", "mlp.dwconv.dwconv"),
    ("mlp.dense2", "mlp.fc2"),
)
"""Layers of a block: Transformers' name on the left, SegFormer's on the right."""

STAGES: tuple[tuple[str, str], ...] = (
    (r"patch_embeddings\.(\d)\.proj\.", "patch_embed{}.proj."),
    (r"patch_embeddings\.(\d)\.layer_norm\.", "patch_embed{}.norm."),
    (r"layer_norm\.(\d)\.", "norm{}."),
)
"""Layers of a stage, which Transformers counts from 0."""

APART = re.compile(r"block\.(\d)\.(\d+)\.attention\.self\.(key|value)\.(.+)")
WHOLE = "a whole MiT"


def is_hugging_face(names: Iterable[str]) -> bool:
    """Whether the names are those of Transformers."""
    return any(name.startswith(("patch_embeddings.", "block.")) for name in names)


def own_names(state: Mapping[str, Tensor], file: Path) -> dict[str, Tensor]:
    """Rename and join what has Transformers' names; what nothing maps to is kept as it is.

    Args:
        state: Tensors by name.
        file: Where they come from, for messages.

    Raises:
        InputError: A block's key and value do not fit together.
    """
    mapped = {}
    for name, value in state.items():
        block = APART.fullmatch(name)
        if block is None:
            mapped[own_name(name)] = value
            continue
        joined = f"block{int(block[1]) + 1}.{block[2]}.attn.kv.{block[4]}"
        if joined not in mapped:
            start = name[: block.start(3)]
            parts = [f"{start}{part}.{block[4]}" for part in ("key", "value")]
            mapped[joined] = join(state, parts, WHOLE, file)
    return mapped


def own_name(name: str) -> str:
    """SegFormer's name for Transformers'; another is kept as it is.

    >>> own_name("block.0.1.attention.output.dense.bias"), own_name("layer_norm.3.weight")
    ('block1.1.attn.proj.bias', 'norm4.weight')
    """
    for pattern, replacement in STAGES:
        if found := re.match(pattern, name):
            return replacement.format(int(found[1]) + 1) + name[found.end() :]
    found = re.fullmatch(r"block\.(\d)\.(\d+)\.(.+)\.(weight|bias)", name)
    layer = dict(BLOCKS).get(found[3]) if found else None
    if found is None or layer is None:
        return name
    return f"block{int(found[1]) + 1}.{found[2]}.{layer}.{found[4]}"
