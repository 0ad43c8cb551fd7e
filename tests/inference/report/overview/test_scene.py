"""Doubt by hand."""

import pytest

from weclip.inference.report.overview.scene import Scene, most_doubtful, worst_scored
from weclip.inference.report.overview.scenes_csv import HEADS, scenes_csv

NAMES = ("background", "cat", "dog", "bird")


def scene(name="a", **changes):
    return Scene(**{"name": name, "size": (4, 6), "shares": {0: 1.0}, **changes})


def test_a_tag_that_is_nowhere_comes_first():
    fine = scene("fine", tags=(0,), shares={0: 0.5, 1: 0.5}, confidence=0.9)
    lost = scene("lost", tags=(0, 1), shares={0: 0.5, 1: 0.4995, 2: 0.0005}, confidence=0.99)
    extra = scene("extra", tags=(0,), shares={0: 0.2, 1: 0.2, 2: 0.6}, confidence=0.3)
    unsure = scene("unsure", tags=(0,), shares={0: 0.2, 1: 0.1}, unsure=0.7)
    assert [each.name for each in most_doubtful([fine, unsure, extra, lost])] == [
        "lost",
        "extra",
        "unsure",
        "fine",
    ]
    assert (lost.nowhere, lost.untagged, extra.untagged) == ((2,), (), (2,))
    assert lost.doubt == pytest.approx(1 + 0.4 * 0.01)
    assert extra.doubt == pytest.approx(0.5 + 0.4 * 0.7)
    assert unsure.doubt == pytest.approx(0.28)
    assert lost.reasons(NAMES) == ["tag nowhere: dog"]
    assert extra.reasons(NAMES) == ["no tag says: dog", "low confidence"]


def test_without_tags_nothing_is_missing():
    empty, found = scene(), scene(shares={0: 0.4, 3: 0.6})
    assert (empty.nowhere, found.untagged, found.doubt) == ((), (), 0)
    assert empty.reasons(NAMES) == ["nothing found"]
    assert not found.reasons(NAMES)
    bare = scene(tags=(), shares={0: 0.4, 3: 0.6})  # tagged: with nothing
    assert bare.untagged == (3,)


def test_the_lowest_score_comes_first():
    scenes = [scene("b", miou=0.5), scene("none"), scene("c", miou=0.1), scene("a", miou=0.5)]
    assert [each.name for each in worst_scored(scenes)] == ["c", "a", "b"]


def test_the_table_has_a_line_for_each():
    rows = [
        scene("x\n=1,\x1b", tags=(0, 2), shares={0: 0.25, 1: 0.75}, confidence=0.5, miou=0.125),
        scene("caf\udce9"),
    ]
    lines = scenes_csv(rows, NAMES).encode().decode().splitlines()
    shares = "cat=0.7500;background=0.2500"
    assert lines == [
        ",".join(HEADS),
        f'"x\\n=1,\\x1b",,6,4,1.2000,cat;bird,bird,,0.5000,0.0000,0.1250,{shares}',
        "caf\\xe9,,6,4,0.0000,,,,,0.0000,,background=1.0000",
    ]
