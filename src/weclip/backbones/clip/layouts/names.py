"""Names of tensors without what training wrappers put round them, and CLIPs that are other models.

Stage 2.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from weclip.backbones.weight_files.names import prefix_before, without_wrappers
from weclip.system.errors import InputError

FIRST = ("visual.conv1.weight", "vision_model.embeddings.patch_embedding.weight")
"""The first layer's name: what stands before it stands before all names."""

TOLD = ("input_resolution", "context_length", "vocab_size")
"""Entries of the OpenAI archives that the shapes tell already."""

FOREIGN = {
    r"visual\.layer1\.": "a ResNet CLIP",
    r"visual\.trunk\.|image_encoder\.": "its image encoder is none of CLIP's ViTs but one of timm "
    "(SigLIP, ConvNeXt, MobileCLIP)",
    r"visual\.blocks\.|visual\.patch_embed\.": "an EVA-CLIP, whose blocks compute otherwise",
    r"vision_model\.head\.": "a SigLIP, which pools by attention",
    r"visual\.attn_?pool": "its image encoder pools by attention",
    r"(?!visual\.).*\b(ls[12]\.gamma|mask_token|register_tokens)$": "a DINOv2, which is given as "
    "dino.weights",
    r".*\bpatch_embed(ding)?s?(\.\d|\d)\.proj\.": "a MiT, which is given as mit.weights",
    r".*\.(ls_[12]|layer_scale\d?|lambda_?[12])(\.|$)": "its blocks scale layers (layer scale)",
    r"(text|text_model)\..*(word_embeddings|encoder\.layer\.)": "its text encoder is a BERT",
    r"text_decoder\.": "a CoCa, which writes captions",
    r".*\bcls_emb$": "its text encoder pools a class token",
    r".*\b(qformer|language_model|q_former)\.": "a language model on top of an image encoder",
}
"""Names that only other models have, and what they are."""


def plain_names(state: Mapping[str, Tensor], file: Path) -> dict[str, Tensor]:
    """Names as the model itself gives them, without the wrappers round it.

    Args:
        state: Tensors by name.
        file: Where they come from, for messages.

    Raises:
        InputError: Two names become one, or there are several CLIPs.
    """
    plain = without_wrappers(state, file)
    prefix = prefix_before(FIRST, plain, file, "CLIPs")
    return {name.removeprefix(prefix): value for name, value in plain.items()}


def refuse_others(state: Mapping[str, Tensor], file: Path) -> None:
    """Raise InputError, which names the model, if the names are those of another one."""
    for pattern, what in FOREIGN.items():
        if any(re.match(pattern, name) for name in state):
            raise InputError(f"{file}: {what}; use a ViT CLIP of OpenAI or OpenCLIP")


def without_extras(state: Mapping[str, Tensor], file: Path) -> dict[str, Tensor]:
    """Drop what changes no probability; OpenCLIP's `text.` before the text encoder's names goes.

    A `logit_bias` is the same for all texts, so a softmax over texts does not see it.

    Raises:
        InputError: The stored mask of the text encoder is not causal.
    """
    kept = {}
    inner = "text.token_embedding.weight" in state
    for name, value in state.items():
        short = name.removeprefix("text.") if inner else name
        if short == "attn_mask":
            require_causal(value, file)
        ignored = (*TOLD, "attn_mask", "logit_bias")
        if short in ignored or short.endswith((".attn_mask", ".position_ids")):
            continue
        kept[short] = value.reshape(()) if short == "logit_scale" and value.numel() == 1 else value
    return kept


def require_causal(mask: Tensor, file: Path) -> None:
    """Raise InputError unless a mask (T, T) lets each token see itself and those before it."""
    seen = torch.ones(mask.shape, dtype=torch.bool).tril() if mask.ndim == 2 else mask.new_zeros(0)
    if not torch.equal(mask == 0, seen):
        raise InputError(
            f"{file}: attn_mask is not causal, so the text encoder computes otherwise; use a ViT "
            "CLIP of OpenAI or OpenCLIP"
        )
