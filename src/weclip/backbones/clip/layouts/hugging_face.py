"""Hugging Face CLIP weights in terms of the OpenAI layout.

Stage 2. The numbers are the same; names differ, queries, keys and values are stored apart, and the
two projections are transposed.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from weclip.backbones.weight_files.names import join

TOWERS = {"vision_model.": "visual.", "text_model.": ""}

NAMES = {
    "logit_scale": "logit_scale",
    "vision_model.embeddings.class_embedding": "visual.class_embedding",
    "vision_model.embeddings.patch_embedding.weight": "visual.conv1.weight",
    "vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
    "vision_model.pre_layrnorm.weight": "visual.ln_pre.weight",  # their spelling
    "vision_model.pre_layrnorm.bias": "visual.ln_pre.bias",
    "vision_model.post_layernorm.weight": "visual.ln_post.weight",
    "vision_model.post_layernorm.bias": "visual.ln_post.bias",
    "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
    "text_model.embeddings.position_embedding.weight": "positional_embedding",
    "text_model.final_layer_norm.weight": "ln_final.weight",
    "text_model.final_layer_norm.bias": "ln_final.bias",
}
TRANSPOSED = {
    "visual_projection.weight": "visual.proj",
    "text_projection.weight": "text_projection",
}
BLOCK_NAMES = {
    "self_attn.out_proj": "attn.out_proj",
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}
IN_BLOCK = re.compile(r"(vision_model\.|text_model\.)encoder\.layers\.(\d+)\.(.+)\.(weight|bias)")


def is_hugging_face(state: Mapping[str, Tensor]) -> bool:
    """Whether the names are those of Transformers' CLIP."""
    return any(name.startswith(tuple(TOWERS)) for name in state)


def to_openai_layout(state: Mapping[str, Tensor], file: Path) -> dict[str, Tensor]:
    """Rename, join and transpose; names that nothing maps to are kept as they are.

    Args:
        state: Tensors by Transformers name.
        file: Where they come from, for messages.

    Raises:
        InputError: A block's query, key and value do not fit together.
    """
    mapped = {}
    for name, value in state.items():
        block = IN_BLOCK.fullmatch(name)
        if name in NAMES:
            mapped[NAMES[name]] = value
        elif name in TRANSPOSED:
            mapped[TRANSPOSED[name]] = value.mT if value.ndim == 2 else value
        elif block and block[3] in BLOCK_NAMES:
            mapped[f"{openai_block(block)}{BLOCK_NAMES[block[3]]}.{block[4]}"] = value
        elif block and re.fullmatch(r"self_attn\.[qkv]_proj", block[3]):
            parts = [name.replace(block[3], f"self_attn.{part}_proj") for part in "qkv"]
            joined = f"{openai_block(block)}attn.in_proj_{block[4]}"
            if joined not in mapped:
                mapped[joined] = join(state, parts, "a whole CLIP", file)
        else:
            mapped[name] = value
    return mapped


def openai_block(block: re.Match[str]) -> str:
    """Prefix of a block's names, such as `visual.transformer.resblocks.3.`."""
    return f"{TOWERS[block[1]]}transformer.resblocks.{block[2]}."
