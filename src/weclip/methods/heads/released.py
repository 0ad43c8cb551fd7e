"""Names of a released AFA checkpoint, and ours.

Stage 4. Encoder and classifier have the same names.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from weclip.system.errors import InputError
from weclip.system.untrusted.text import one_line

NAMES = (
    (r"attn_proj\.", r"affinity.mix."),
    (r"decoder\.linear_c1\.proj\.", r"segmenter.projections.0."),
    (r"decoder\.linear_c2\.proj\.", r"segmenter.projections.1."),
    (r"decoder\.linear_c3\.proj\.", r"segmenter.projections.2."),
    (r"decoder\.linear_c4\.proj\.", r"segmenter.projections.3."),
    (r"decoder\.linear_fuse\.conv\.", r"segmenter.fuse."),
    (r"decoder\.linear_fuse\.bn\.", r"segmenter.norm."),
    (r"decoder\.linear_pred\.", r"segmenter.classifier."),
)
"""Beginnings of released names on the left, ours on the right."""

OURS = ("affinity.", "segmenter.")
"""What our names of the heads begin with, the classifier's apart."""

COUNTER = "segmenter.norm.num_batches_tracked"
"""Training passes; nothing depends on it."""


def our_name(released: str) -> str:
    """Our name of an entry.

    >>> our_name("decoder.linear_c4.proj.bias"), our_name("encoder.norm1.bias")
    ('segmenter.projections.3.bias', 'encoder.norm1.bias')
    """
    for theirs, ours in NAMES:
        renamed, count = re.subn("^" + theirs, ours, released)
        if count:
            return renamed
    return released


def whole_state(published: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """All that AFA trains, under our names, in float32, of a released checkpoint.

    Args:
        published: Its tensors, without the prefix of what shares them between processes.
        path: Where it was read from, for messages.

    Raises:
        InputError: It is no checkpoint of AFA.
    """
    state = {our_name(name): value for name, value in published.items()}
    counter = state.pop(COUNTER, None)
    unknown = [n for n in state if not n.startswith(("encoder.", "classifier.", *OURS))]
    if counter is None or unknown or "affinity.mix.weight" not in state:
        found = f"has {one_line(unknown[0])}" if unknown else "lacks entries of its heads"
        raise InputError(
            f"{path}: no checkpoint of AFA ({found}); give a wetr_iter_*.pth of its released code"
        )
    return {name: value.float() for name, value in state.items()}
