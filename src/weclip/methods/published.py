"""Read decoders of the released WeCLIP code.

Stage 4. A released `.pth` is a pickled state dict with the prefixes `encoder.` (CLIP),
`decoder_fts_fuse.`, `decoder.` and `par.`; only the decoder's entries are read.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from weclip.backbones.weight_files.tensors import read_tensors
from weclip.system.errors import InputError

KEY_MAP = (
    (r"decoder_fts_fuse\.linears_modulelist\.(\d+)\.proj\.", r"projections.\1.0."),
    (r"decoder_fts_fuse\.linears_modulelist\.(\d+)\.proj_2\.", r"projections.\1.2."),
    (r"decoder_fts_fuse\.linear_fuse\.", "fuse."),
    (r"decoder\.transformer\.", "transformer."),
    (r"decoder\.linear_pred\.", "classifier."),
)
"""Released names on the left, ours on the right."""


def decoder_key(published: str) -> str | None:
    """Our name of a released decoder entry; None for entries of other parts.

    >>> decoder_key("decoder_fts_fuse.linears_modulelist.3.proj_2.bias")
    'projections.3.2.bias'
    """
    for pattern, replacement in KEY_MAP:
        ours, count = re.subn("^" + pattern, replacement, published)
        if count:
            return ours
    return None


def decoder_state(published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The decoder's state dict under our names, in float32, from a released state dict."""
    named = ((decoder_key(key.removeprefix("module.")), value) for key, value in published.items())
    return {key: value.float() for key, value in named if key is not None}


def load_published_decoder(path: Path) -> dict[str, Tensor]:
    """Read a released checkpoint (`.pth` or safetensors) as a decoder state dict.

    Raises:
        InputError: The file is not such a checkpoint. No code in it is executed.
    """
    found = decoder_state(read_tensors(path))
    if not found:
        raise InputError(
            f"{path}: holds no WeCLIP decoder; expected entries such as "
            "'decoder.linear_pred.weight' of a released checkpoint"
        )
    return found
