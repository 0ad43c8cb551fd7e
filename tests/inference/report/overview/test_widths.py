"""The page on a phone and on a desktop, measured in a browser."""

import numpy as np
import pytest
from tests.inference.report.overview.test_page import EVIL, scene, written
from tests.inference.report.test_widths import BROWSER, measured


@pytest.mark.skipif(BROWSER is None, reason="needs Chromium")
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_screen(tmp_path, width):
    """Tables scroll in their boxes; names without a space are broken."""
    matrix = [[100] * 3] * 3
    scenes = [scene(f"{'long_name' * 20}{EVIL}", shares={0: 0.1, 2: 0.9}, confidence=0.5)]
    headline = [("images", "1,000,000", "of split train"), ("mIoU", "100.0", "no masks")] * 2
    lines = [f"{'folder/' * 60}tags.csv"]
    written(tmp_path, scenes, headline=headline, data=lines, matrix=np.array(matrix))
    expected = {"wide": [], "broken": [], "over": False, "window": width}
    assert measured(tmp_path / "report.html", width) == expected
