"""Read decoders of the released WeCLIP and WeCLIP+ code.

Stage 4. A released `.pth` is a pickled state dict of the whole model, the frozen encoders included;
a method's `published` says which entries are its decoder's.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from weclip.backbones.dino.layouts import fold_layer_scale, our_names
from weclip.backbones.weight_files.tensors import read_tensors
from weclip.system.errors import InputError
from weclip.system.untrusted.text import one_line

ENDINGS = (
    (r"linears_modulelist\.(\d+)\.proj\.", r"projections.\1.0."),
    (r"linears_modulelist\.(\d+)\.proj_2\.", r"projections.\1.2."),
    (r"linear_fuse\.", "fuse."),
    (r"transformer\.", "transformer."),
    (r"linear_pred\.", "classifier."),
)
"""Beginnings of released names after the part's own prefix on the left, ours on the right."""

SECOND_HEAD = "dino_decoder_fts_fuse."
"""What only a WeCLIP+ checkpoint has."""

TOLERANCE = 0.01
"""Between a checkpoint's copy of an encoder, which may be rounded to float16, and the encoder."""


def decoder_key(released: str, prefixes: Mapping[str, str]) -> str | None:
    """Our name of a released decoder entry; None for entries of other parts.

    >>> decoder_key("decoder.linear_pred.bias", {"decoder.": "segmenter."})
    'segmenter.classifier.bias'
    """
    for theirs, ours in prefixes.items():
        if released.startswith(theirs):
            inner = released.removeprefix(theirs)
            for pattern, replacement in ENDINGS:
                renamed, count = re.subn("^" + pattern, replacement, inner)
                if count:
                    return ours + renamed
    return None


def decoder_state(
    published: Mapping[str, Tensor], prefixes: Mapping[str, str]
) -> dict[str, Tensor]:
    """The decoder's state dict under our names, in float32, from a released state dict."""
    named = ((decoder_key(key, prefixes), value) for key, value in published.items())
    return {key: value.float() for key, value in named if key is not None}


def read_published(path: Path) -> dict[str, Tensor]:
    """A released checkpoint (`.pth` or safetensors) as it is; no code in it is executed."""
    return {key.removeprefix("module."): value for key, value in read_tensors(path).items()}


def decoder_of(
    published: Mapping[str, Tensor], prefixes: Mapping[str, str], path: Path
) -> dict[str, Tensor]:
    """The decoder's state dict of a released checkpoint.

    Args:
        published: `read_published` of it.
        prefixes: The method's `published`.
        path: Where it was read from, for messages.

    Raises:
        InputError: It is not such a checkpoint, or one of the other method.
    """
    state = decoder_state(published, prefixes)
    if not state:
        raise InputError(
            f"{path}: holds no decoder of WeCLIP or WeCLIP+; expected entries such as "
            "'decoder.linear_pred.weight' of a released checkpoint"
        )
    plus = any(key.startswith(SECOND_HEAD) for key in published)
    if plus != (SECOND_HEAD in prefixes):
        found, preset = ("WeCLIP+", "voc-plus or coco-plus") if plus else ("WeCLIP", "voc or coco")
        raise InputError(f"{path}: holds a decoder of {found}; give --config {preset}")
    return state


def require_same_encoders(
    published: Mapping[str, Tensor], encoders: Mapping[str, Mapping[str, Tensor]], path: Path
) -> None:
    """InputError if the encoders in a released checkpoint are not those that are given.

    A decoder fits every encoder of the same width, and computes nonsense on another.

    Args:
        published: `read_published` of it.
        encoders: State dicts of the frozen image encoders by the name of their configuration:
            `clip`, `dino`. Entries that a checkpoint does not have are not compared.
        path: Where it was read from, for messages.
    """
    dino = {
        key.removeprefix("dino_encoder."): value.float()
        for key, value in published.items()
        if key.startswith("dino_encoder.")
    }
    prefix = "encoder.visual."
    clip = {k.removeprefix(prefix): v for k, v in published.items() if k.startswith(prefix)}
    try:
        found = {"clip": clip, "dino": fold_layer_scale(our_names(dino))}
    except (KeyError, RuntimeError, IndexError) as error:
        raise InputError(
            f"{path}: its copy of DINOv2 is damaged ({one_line(error)}); download it again"
        ) from None
    for name, state in encoders.items():
        for key, ours in state.items():
            theirs = found[name].get(key)
            if theirs is not None and not _alike(theirs, ours):
                raise InputError(
                    f"{path}: was trained with another encoder than {name}.weights (its {key} "
                    "differs); give the weights that it was trained with"
                )


def _alike(theirs: Tensor, ours: Tensor) -> bool:
    same = theirs.numel() == ours.numel()
    return same and torch.allclose(
        theirs.float().flatten(), ours.flatten(), rtol=TOLERANCE, atol=TOLERANCE
    )
