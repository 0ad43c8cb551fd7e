"""Tags in slots, and padded so that few shapes are left."""

import pytest
import torch

from weclip.labels.tag_slots import pack_tags


def rows(*tags, classes=6):
    multi_hot = torch.zeros(len(tags), classes, dtype=torch.bool)
    for row, indices in zip(multi_hot, tags, strict=True):
        row[list(indices)] = True
    return multi_hot


@pytest.mark.parametrize(
    ("tags", "slots", "pairs"),
    [
        ([(0,), (3,)], 1, 2),
        ([(0, 1), (3,), ()], 2, 4),
        ([(0, 1, 2), (3,)], 4, 4),
        ([(0, 1, 2), (3, 4)], 4, 8),
        ([(0, 1, 2, 3, 4), ()], 6, 8),  # no more than there are classes
        ([(0, 1, 2, 3, 4, 5)], 6, 6),
        ([(), ()], 1, 0),
    ],
)
def test_padded(tags, slots, pairs):
    plain, padded = (pack_tags(rows(*tags), padded=each) for each in (False, True))
    assert padded.index.shape == padded.filled.shape == (len(tags), slots)
    assert len(padded.image) == len(padded.slot) == pairs
    kept = plain.index.shape[1]
    assert torch.equal(padded.index[:, :kept], plain.index)
    assert torch.equal(padded.filled[:, :kept], plain.filled)
    assert not padded.filled[:, kept:].any()
    assert not padded.index[:, kept:].any()
    written = torch.zeros(padded.filled.shape, dtype=torch.bool)
    written[padded.image, padded.slot] = True
    assert torch.equal(written, padded.filled)
