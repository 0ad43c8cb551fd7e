"""MiT against tensors of the published AFA code; see the README of the golden folder."""

import pytest
import torch
from safetensors.torch import load_file
from tests.golden.folders import GOLDEN_AFA as FOLDER
from tests.golden.folders import close

from weclip.backbones.mit.weights import read_mit

CASES = sorted(path.parent for path in FOLDER.glob("*/expected.safetensors"))

pytestmark = pytest.mark.skipif(
    not CASES or not (FOLDER / "mit.safetensors").exists(),
    reason=f"no golden cases in {FOLDER}, or no mit.safetensors; set WECLIP_GOLDEN_AFA",
)
MAPS = (0, 7, 8, 15)
"""Of the 16 raw ones, those that a case keeps."""


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
@pytest.mark.parametrize(("kind", "tolerance"), [(torch.float64, 1e-5), (torch.float32, 1e-4)])
def test_features_and_raw_scores(case, kind, tolerance):
    expected = load_file(case / "expected.safetensors")
    mit = read_mit(FOLDER / "mit.safetensors").make_encoder().eval().to(kind)
    with torch.no_grad():
        found = mit(mit.normalise(expected["image"]))
    close(found.maps[0][-1], expected["feature_1"], tolerance)
    for stage in (2, 3, 4):
        close(found.maps[stage - 1], expected[f"feature_{stage}"], tolerance)
    close(found.scores[0, list(MAPS)], expected["attention_0"], tolerance)


@pytest.mark.skipif(
    not (FOLDER / "evaluation_checkpoint.safetensors").exists(), reason="no published checkpoint"
)
def test_the_encoder_of_a_published_checkpoint():
    mit = read_mit(FOLDER / "evaluation_checkpoint.safetensors")
    assert len(mit.state) == 176
    assert mit.settings.heads == (1, 2, 5, 8)
