"""The published form that benchmarks compare with gives the same numbers as ours."""

from pathlib import Path

import pytest
import torch
from tests.methods.tiny_weclip import make_batch, tiny_config, tiny_weclip

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def published_form(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import published_form

    return published_form


def test_published_form_gives_our_labels(published_form):
    method = tiny_weclip(tiny_config(), dropout=0.0).eval()
    batch = make_batch()
    ours = method.training_step(batch, 0)
    method.__class__ = published_form.PublishedForm
    method.maps.__class__ = published_form.PublishedMaps
    theirs = method.training_step(batch, 0)
    torch.testing.assert_close(ours.cam, theirs.cam, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(
        ours.detail.pseudo_label.scores, theirs.detail.pseudo_label.scores, rtol=1e-3, atol=1e-4
    )
    assert (ours.target == theirs.target).float().mean() > 0.999
