"""MiT against tensors of the published AFA code; see the README of the golden folder."""

import pytest
import torch
from safetensors.torch import load_file
from tests.golden.folders import GOLDEN_AFA as FOLDER
from tests.golden.folders import close

from weclip.backbones.mit.image_encoder import MitEncoder, MitSettings

CASES = sorted(path.parent for path in FOLDER.glob("*/expected.safetensors"))
SIZES = MitSettings((16, 32, 40, 64))

pytestmark = pytest.mark.skipif(
    not CASES or not (FOLDER / "mit.safetensors").exists(),
    reason=f"no golden cases in {FOLDER}, or no mit.safetensors; set WECLIP_GOLDEN_AFA",
)
MAPS = (0, 7, 8, 15)
"""Of the 16 raw ones, those that a case keeps."""


def encoder():
    state = load_file(FOLDER / "mit.safetensors")
    found = MitEncoder(SIZES)
    found.load_state_dict({k: v.float() for k, v in state.items() if not k.startswith("head.")})
    return found.eval()


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
@pytest.mark.parametrize(("kind", "tolerance"), [(torch.float64, 1e-5), (torch.float32, 1e-4)])
def test_features_and_raw_scores(case, kind, tolerance):
    expected = load_file(case / "expected.safetensors")
    mit = encoder().to(kind)
    with torch.no_grad():
        found = mit(mit.normalise(expected["image"]))
    close(found.maps[0][-1], expected["feature_1"], tolerance)
    for stage in (2, 3, 4):
        close(found.maps[stage - 1], expected[f"feature_{stage}"], tolerance)
    close(found.scores[0, list(MAPS)], expected["attention_0"], tolerance)
