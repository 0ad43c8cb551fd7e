"""Names of a released AFA checkpoint, and ours.

Stage 4. Encoder and classifier have the same names.
"""

import re

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
