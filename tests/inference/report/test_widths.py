"""The page's headline on screens of all widths, measured in a browser."""

import json
import re
import shutil
import subprocess
from html import escape

import pytest
from tests.inference.report.test_page import page, record

BROWSER = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
MEASURE = """<script>
const wide = [...document.querySelectorAll(".number, .card-name")].filter(
  (each) => each.scrollWidth > each.clientWidth);
const lines = (each) => each.clientHeight / parseFloat(getComputedStyle(each).lineHeight);
const broken = [...document.querySelectorAll(".card-name")].filter((each) => lines(each) > 1.5);
parent.document.title = JSON.stringify({
  wide: wide.map((each) => each.textContent), broken: broken.map((each) => each.textContent),
  over: document.documentElement.scrollWidth > innerWidth, window: innerWidth});
</script></body>"""
NAMES = {
    "CAM": "cam",
    "Refined CAM": "refined_cam",
    "Pseudo-label": "pseudo_label",
    "Segmentation": "segmentation",
}


@pytest.fixture
def report(tmp_path):
    scores = {name: record(kind, 0) for name, kind in NAMES.items()}
    assert all(each["miou"] == 1 for each in scores.values())  # 100.0, the longest number
    page(tmp_path, scores=scores)
    return tmp_path / "report.html"


def measured(report, width):
    """In a frame, since no window of the browser is narrower than 500."""
    content = escape(report.read_text().replace("</body>", MEASURE))
    frame = report.with_name("frame.html")
    frame.write_text(f'<title></title><iframe width={width} srcdoc="{content}" frameborder=0>')
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    line = [*command, "--dump-dom", frame.as_uri()]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=True)
    return json.loads(re.search(r"<title>(.*?)</title>", done.stdout)[1])


@pytest.mark.skipif(BROWSER is None, reason="needs Chromium")
@pytest.mark.parametrize("width", [390, 870])
def test_numbers_stay_on_their_cards_and_names_whole(report, width):
    expected = {"wide": [], "broken": [], "over": False, "window": width}
    assert measured(report, width) == expected
