"""The page in a real browser: a tag by keyboard, strokes, undo, accept, reload, two tabs."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.review.browser import Browser, browser, missing
from tests.review.conftest import SIZE

from weclip.data.corrections.folder import Corrections, read_corrections
from weclip.data.corrections.writing import Writer
from weclip.data.masks.mask_files import read_mask

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "none")

SAVED = "document.getElementById('saved').textContent === 'all saved'"
TO_CROSS = """
const box = document.getElementById('board').getBoundingClientRect();
const zoom = Math.min((box.width - 20) / arguments[0], (box.height - 20) / arguments[1]);
const left = box.left + (box.width - zoom * arguments[0]) / 2;
const top = box.top + (box.height - zoom * arguments[1]) / 2;
return arguments[2].map(([x, y]) => [left + zoom * x, top + zoom * y]);
"""


@pytest.fixture
def page(server: str, own_ports: set[int], tmp_path: Path) -> Iterator[Browser]:
    with browser(tmp_path / "profile", own_ports.add) as window:
        window.resize(1440, 900)
        window.open(server)
        yield window


def saved(writer: Writer) -> Corrections:
    return read_corrections(writer.folder, writer.classes)


def at(page: Browser, *points: tuple[float, float]) -> list[tuple[float, float]]:
    """Points of the mask as points of the window, while the image fits."""
    height, width = SIZE
    return [(x, y) for x, y in page.run(TO_CROSS, width, height, points)]


def mask(writer: Writer, name: str) -> np.ndarray:
    return read_mask(str(saved(writer).of(name).mask))


def test_a_person_corrects_an_image(page: Browser, writer: Writer):
    assert page.text("#name") == "c"  # the most doubtful
    page.keys("t", *"cat", "Enter")  # a tag by keyboard
    page.wait("document.querySelectorAll('#chips [aria-pressed=true]').length === 2")
    page.wait(SAVED)
    assert saved(writer).of("c").tags == (0, 1)
    page.drag(*at(page, (5, 35), (15, 35)))  # a stroke of the cat, which was chosen by its tag
    page.wait(SAVED)
    painted = mask(writer, "c")
    assert painted[35, 10] == 2
    page.keys("u")
    page.wait(f"{SAVED} && document.getElementById('undo').disabled === false")
    assert set(np.unique(mask(writer, "c"))) == {0, 1}
    page.keys("Shift+U")
    page.wait(SAVED)
    assert np.array_equal(mask(writer, "c"), painted)
    page.keys("Enter")
    page.wait("document.getElementById('name').textContent === 'beach/b'")
    assert saved(writer).of("c").accepted
    page.do("POST", "/refresh", {})
    page.wait("document.body.dataset.ready === 'yes'")
    page.wait("document.getElementById('counts').textContent.startsWith('1 accepted')")
    page.run("document.getElementById('to-do').click()")
    page.wait("document.querySelectorAll('.row').length === 3")
    assert page.text(".row .mark.accept") == "✓"
    page.run("document.querySelector('[data-place=\"2\"]').click()")
    page.wait("document.getElementById('facts').textContent.includes('accepted, corrected')")
    assert page.value("document.querySelectorAll('#chips [aria-pressed=true]').length") == 2
    assert np.array_equal(mask(writer, "c"), painted)


def test_all_of_it_by_keyboard(page: Browser, writer: Writer):
    page.keys("Shift+2", "0", "ArrowRight", "Space")  # background at the cross
    page.wait(SAVED)
    cut = mask(writer, "c")
    assert cut[20, 31] == 0
    assert cut[9, 19] == 1
    page.keys("1", "r")  # its only tag off, and rejected
    page.wait("document.getElementById('name').textContent === 'beach/b'")
    found = saved(writer).of("c")
    assert (found.rejected, found.tags) == (True, ())
    page.keys("s")
    page.wait("document.getElementById('name').textContent === 'a'")
    assert page.text("#doubts li") == "CLIP sees cat, which is no tag"
    page.keys("m")
    page.wait("document.getElementById('toast').textContent === 'no CAMs here'")
    page.keys("t", *"owl", "Enter")
    page.wait(f"{SAVED} && document.getElementById('chips').textContent.includes('owl')")
    assert saved(writer).classes.names == ("dog", "cat", "owl")
    assert saved(writer).of("a").tags == (0, 2)
    page.keys("?")
    assert page.value("document.getElementById('help').open")
    assert "accept: mask and tags are true" in page.text("#help-keys")


def test_regions_polygons_and_only_inside_a_class(page: Browser, writer: Writer):
    page.keys("Shift+3", "f")  # unsure, by the region of the red square
    page.drag(*at(page, (30, 20)))
    page.wait(SAVED)
    filled = mask(writer, "c")
    assert (filled == 255).sum() > 0.7 * 400
    assert filled[9, 19] == 1
    page.keys("Shift+1", "g")
    for point in ((30, 5), (58, 5), (58, 38), (30, 38)):
        page.drag(*at(page, point))
    page.run("document.getElementById('inside').value = '0'")
    page.run("document.getElementById('inside').dispatchEvent(new Event('change'))")
    page.keys("Enter")  # closes the polygon, and accepts nothing
    page.wait(SAVED)
    drawn = mask(writer, "c")
    assert drawn[36, 50] == 1
    assert np.array_equal(drawn == 255, filled == 255)
    assert saved(writer).of("c").decision == "open"


def test_two_tabs_overwrite_nothing(page: Browser, server: str, writer: Writer):
    page.new_tab()
    page.open(server)
    page.drag(*at(page, (5, 35), (15, 35)))
    page.wait(SAVED)
    second = mask(writer, "c")
    page.tab(0)
    page.drag(*at(page, (50, 5), (55, 5)))  # before the first tab has asked for news
    page.wait("document.getElementById('toast').textContent.includes('in another tab')")
    page.wait("document.getElementById('board').dataset.version === '1'")
    assert np.array_equal(mask(writer, "c"), second)
    page.drag(*at(page, (50, 5), (55, 5)))  # and once more, on what is there now
    page.wait(SAVED)
    both = mask(writer, "c")
    assert both[35, 10] == 1
    assert both[5, 52] == 1


def test_nothing_is_cut_off_and_everything_has_a_name(page: Browser):
    for width in (1440, 820):
        page.resize(width, 900)
        page.wait(f"innerWidth === {width}")
        look_at(page, width)
    logged = page.do("POST", "/se/log", {"type": "browser"})
    assert [line["message"] for line in logged if line["level"] == "SEVERE"] == []


def look_at(page: Browser, width: int) -> None:
    assert page.value("document.documentElement.scrollWidth") <= width
    outside = page.value(
        "[...document.querySelectorAll('button, select, input')].filter(e => e.offsetParent && "
        "!e.closest('#legend') && (e.getBoundingClientRect().right > innerWidth || "
        "e.getBoundingClientRect().bottom > innerHeight)).map(e => e.id)"
    )
    assert outside == []
    nameless = page.value(
        "[...document.querySelectorAll('button, select, input, [role]')].filter(e => "
        "e.offsetParent && e.getAttribute('role') !== 'presentation' && e.className !== 'space' && "
        "!(e.ariaLabel || e.textContent.trim() || e.labels?.length || e.title)).map(e => e.id)"
    )
    assert nameless == []
