"""Names in a DINOv2's weight file without prefixes, and models that are others.

Stage 2.
"""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from weclip.backbones.weight_files.names import (
    prefix_before,
    refuse_foreign,
    without_wrappers,
)
from weclip.backbones.weight_files.whole import listing
from weclip.system.errors import InputError
from weclip.system.untrusted.text import short

FIRST = ("patch_embed.proj.weight", "embeddings.patch_embeddings.projection.weight")
"""The first layer's name: what stands before it stands before all names."""

WAY_OUT = "use a DINOv2 ViT-S, B or L of torch.hub or Hugging Face"

DINO_PATCH, DINO_GRID = 8, 28
"""Of the published DINO ViT-S/8 and ViT-B/8 (Caron et al., ICCV 2021)."""

DINO_FILES = ("dino_deitsmall16_pretrain", "dino_vitbase16_pretrain")
"""How the names of the published files of DINO ViT-S/16 and ViT-B/16 begin."""

FOREIGN = {
    r"(clip_head|guide_head|segmenter|fusion)\.": "a trained model of weclip, not an encoder",
    r"dino_encoder\.": "a checkpoint of the published WeCLIP+, not a DINOv2 alone",
    r"(visual|vision_model|text_model|transformer\.resblocks|token_embedding)\.|logit_scale$": "a "
    "CLIP, which is given as clip.weights",
    r"patch_embed(ding)?s?(\.\d|\d)\.proj\.": "a MiT, which is given as mit.weights",
    r"mlp\.(w12|w3|weights_in|weights_out)\.": "its layers are SwiGLU, as in DINOv2's giant",
    r"rope_embed|storage_tokens$|attention\.[qkv]_proj\.|mlp\.up_proj\.": (
        "a DINOv3, or another ViT whose blocks compute otherwise"
    ),
    r"(dino|ibot)_head\.": "a checkpoint of DINOv2's training, with its heads; save the teacher's "
    "backbone alone",
    r"blocks\.\d+\.\d+\.": "its blocks lie in chunks, as while DINOv2 is trained",
    r"(linear_head|classifier|head|head_dist)\.": "a classifier on top of an image encoder; save "
    "the backbone alone",
    r"decoder_(embed|blocks|pred)\b": "an MAE",
    r"layernorm_(before|after)\.|intermediate\.dense\.": "a plain ViT of Transformers",
    r"reg_token$": "timm's copy of a DINOv2 with registers, whose positions are stored otherwise",
    r"(gamma_[12]|q_bias|relative_position_bias_table)$": "a BEiT, whose blocks compute otherwise",
}
"""Parts of names, from a dot or the start on, that only other models have, and what they are."""


def plain_names(state: Mapping[str, Tensor], file: Path) -> dict[str, Tensor]:
    """Names as the model itself gives them, without wrappers and prefix.

    Args:
        state: Tensors by name.
        file: Where they come from, for messages.

    Raises:
        InputError: Two names become one, it is another model, or more than one DINOv2.
    """
    plain = without_wrappers(state, file)
    refuse_others(plain, file)
    prefix = prefix_before(FIRST, plain, file, "models")
    if others := [name for name in plain if not name.startswith(prefix)]:
        raise InputError(
            f"{file}: holds more than the image encoder under {short(prefix)}: {listing(others)}; "
            "save that one alone"
        )
    return {name.removeprefix(prefix): value for name, value in plain.items()}


def refuse_others(state: Mapping[str, Tensor], file: Path) -> None:
    """Raise InputError, which names the model, if the names are those of another one."""
    refuse_foreign(state, FOREIGN, WAY_OUT, file)
    if state.keys() <= {"weight", "bias"} and state:
        raise InputError(f"{file}: one layer, such as a classifier's head; {WAY_OUT}")


def refuse_plain(state: Mapping[str, Tensor], file: Path) -> None:
    """Raise InputError for a plain ViT that is not known to be a DINO.

    A DINOv2 has LayerScale, or a mask token, or both. Without both, a DINO of 2021, an MAE and a
    supervised ViT have the same names, and resize positions and normalise images each in its own
    way. Patches of 8 are published of DINO alone; those of 16 are known by DINO's file name.
    """
    scaled = any(name.endswith((".ls1.gamma", ".ls2.gamma")) for name in state)
    if FIRST[0] not in state or scaled or "mask_token" in state:
        return
    patch = state[FIRST[0]].shape[-1:]
    positions = state["pos_embed"].shape[1:2] if "pos_embed" in state else ()
    if (*patch, *positions) == (DINO_PATCH, 1 + DINO_GRID**2):
        return
    if not file.name.startswith(DINO_FILES):
        raise InputError(
            f"{file}: a ViT without LayerScale and mask_token, such as a DINO of 2021, an MAE or a "
            f"supervised one, not a DINOv2; {WAY_OUT}. A DINO with patches of 16 is told from the "
            f"others by its published name: {' or '.join(DINO_FILES)}..."
        )
