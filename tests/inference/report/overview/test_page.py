"""The page: what is in it, how large it is, and that foreign names stay names."""

import csv
import re

import numpy as np
import pytest
from tests.inference.report.test_page import Balance

from weclip.data.classes import ClassList
from weclip.data.masks.colours import VOC_COLOURS
from weclip.inference.report.overview.advice import Advice
from weclip.inference.report.overview.cards import MOST_SCENES, Section
from weclip.inference.report.overview.classes import class_rows
from weclip.inference.report.overview.page import MOST_BYTES, Overview, write_overview
from weclip.inference.report.overview.picture import Panel, outlined, photo
from weclip.inference.report.overview.scene import Scene, most_doubtful

EVIL = "<script>alert(1)</script>\"'&\x1b[2J\u202e"
NAMES = ("cat", EVIL)
CLASSES = ClassList(NAMES, (("cat",), ("evil",)), ("grass",))


def panels(scene):
    image, ids = np.full((40, 60, 3), 120, np.uint8), np.zeros((40, 60), np.uint8)
    ids[5:35, 5:55] = 2
    return [photo(image), outlined(image, ids, VOC_COLOURS, "prediction")]


def scene(name, **changes):
    return Scene(**{"name": name, "size": (40, 60), "tags": (0,), "shares": {0: 0.4}, **changes})


def overview(scenes, make=panels, **changes):
    rows = class_rows(scenes, num_classes=3, images=[5, 2], iou=None)
    values = {
        "title": f"Training: {EVIL}",
        "lead": EVIL,
        "headline": [("images", "7", EVIL)],
        "advice": [Advice("Look", EVIL, f"weclip train '{EVIL}'")],
        "data": [EVIL],
        "tag_counts": [1, 5, 2],
        "curves": {"loss": [(0, 2.0), (100, 1.0)]},
        "rows": rows,
        "sections": [Section("Images", "note", scenes, make)],
        "scenes": scenes,
        "command": "weclip train --config folder 'data.root=my photos' --out run",
        "settings": {"data.root": EVIL},
        "classes": CLASSES,
    }
    return Overview(**{**values, **changes})


def written(tmp_path, *given, **changes):
    path = write_overview(tmp_path, overview(*given, **changes))
    return path.read_text(encoding="utf-8")


def without_pictures(text):
    """Their letters may spell anything."""
    return re.sub(r"base64,[^\"]*", "", text)


def test_the_page_is_sound_and_needs_nothing_else(tmp_path):
    scenes = [scene(EVIL, shares={0: 0.1, 2: 0.9}), scene("caf\udce9", tags=None)]
    matrix = np.array([[5, 1, 0], [0, 4, 3], [0, 0, 2]])
    text = written(tmp_path, scenes, matrix=matrix)
    parser = Balance()
    parser.feed(text)
    parser.close()
    assert parser.open == []
    assert not parser.tags & {"script", "link", "iframe", "object", "form"}
    local = ("#", "data:image/jpeg;base64,", "scenes.csv")
    assert parser.sources
    assert all(source.startswith(local) for source in parser.sources)
    text = without_pictures(text)
    assert not re.search(r"https?:|@import|\son\w+=|url\(", text)
    assert "<script" not in text
    assert "\x1b" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_pictures_have_texts_and_wait_until_they_are_seen(tmp_path):
    text = written(tmp_path, [scene("beach")])
    images = re.findall(r"<img [^>]*>", text)
    assert len(images) == 2
    for image in images:
        assert 'loading="lazy"' in image
        assert re.search(r'width="\d+" height="\d+"', image)
    assert 'alt="beach, image"' in images[0]
    assert 'alt="beach, prediction: ' in images[1]


def test_doubt_is_told_and_the_most_doubtful_is_at_the_top(tmp_path):
    fine = scene("fine", shares={0: 0.5, 1: 0.5}, confidence=0.97)
    lost = scene("lost", shares={0: 0.7, 2: 0.3}, confidence=0.5)
    text = written(tmp_path, most_doubtful([fine, lost]))
    assert text.index("<bdi>lost</bdi>") < text.index("<bdi>fine</bdi>")
    card = text[text.index("<bdi>lost</bdi>") : text.index("<bdi>fine</bdi>")]
    for said in ("tag nowhere: cat", "no tag says: ", "low confidence", "confidence 50 %"):
        assert said in card
    assert 'swatch hollow" style="--c:rgb(128,0,0)"' in card
    assert '<span class="said">tag, nowhere</span>' in card


def test_without_masks_there_is_no_score(tmp_path):
    text = without_pictures(written(tmp_path, [scene("a")]))
    assert "IoU" not in text
    assert 'id="confusion"' not in text
    rows = class_rows([], num_classes=3, images=[5, 2], iou=(0.75, None, 0.5))
    text = written(tmp_path, [scene("a", miou=0.25)], rows=rows, matrix=np.eye(3, dtype=int))
    assert "75.0" in text
    assert "mIoU 25 %" in text
    assert 'id="confusion"' in text


@pytest.mark.parametrize(("kilobytes", "expected"), [(1, MOST_SCENES), (200, 31)])
def test_a_thousand_scenes_stay_under_twenty_megabytes(tmp_path, kilobytes, expected):
    """The pictures of 200 kB are 267 kB as text, and there are two of each scene."""
    scenes = [scene(f"image {i}") for i in range(1000)]
    fake = [Panel("image", bytes(1000 * kilobytes), (400, 300), {}) for _ in range(2)]
    text = written(tmp_path, scenes, lambda scene: fake)
    assert len(text.encode()) < MOST_BYTES
    assert text.count('<article class="scene">') == expected
    assert f"{1000 - expected} more scenes in scenes.csv" in text
    with (tmp_path / "scenes.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["image"] for row in rows] == [each.name for each in scenes]


def test_sections_share_the_room_and_files_that_cannot_be_read_are_said(tmp_path):
    scenes = [scene(f"image {i}") for i in range(300)]
    first = Section("One", "", scenes, lambda scene: [], most=120)
    second = Section("Two", "", scenes, lambda scene: [])
    text = written(tmp_path, scenes, sections=[first, second])
    assert text.count("Its files cannot be read.") == MOST_SCENES
    assert "120 of 300" in text
    assert "80 of 300" in text


def test_long_curves_are_thinned(tmp_path):
    points = [(i, 1.0) for i in range(100_000)]
    text = written(tmp_path, [], curves={"loss": points})
    assert len(text) < 100_000
    assert "last 1" in text
