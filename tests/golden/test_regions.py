"""Overlapping masks painted into id maps, against the published code of ModuSeg and CorrCLIP."""

import numpy as np
import pytest
from tests.golden.folders import GOLDEN_REGIONS, region_cases
from tests.golden.stored_case import StoredCase

from weclip.labels.regions.painting import by_area, by_score
from weclip.labels.regions.regions import Proposals

CASES = region_cases("moduseg")
pytestmark = pytest.mark.skipif(
    not CASES,
    reason=f"no golden case of moduseg in {GOLDEN_REGIONS}; set WECLIP_GOLDEN_REGIONS to its path",
)


@pytest.fixture(scope="module", params=CASES, ids=lambda path: path.name)
def case(request) -> StoredCase:
    return StoredCase(request.param)


@pytest.mark.parametrize("way", [by_score, by_area])
def test_masks_become_the_published_id_map(case, way):
    stored = case.expected
    masks, scores = stored["test.masks"].numpy().astype(bool), stored["test.scores"].numpy()
    painted, wanted = way(Proposals(masks, scores)), stored[f"regions.{way.__name__}"].numpy()
    assert painted.dtype == np.int32
    assert (painted == wanted).all()
