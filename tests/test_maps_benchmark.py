"""benchmarks/maps.py: every combination is there, with constants of its own."""

import json
import sys
from pathlib import Path

import pytest

from weclip.labels.tag_maps import AFFINITY_SOURCES, MAP_SOURCES

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def maps(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import maps

    return maps


def test_every_combination_is_scored(maps, tmp_path, monkeypatch, capsys):
    out = tmp_path / "maps.json"
    line = ["maps.py", "--images", "2", "--out", str(out), "par.iterations=1"]
    monkeypatch.setattr(sys, "argv", line)
    monkeypatch.setattr(maps, "VAL_SCENES", 2)
    maps.main()
    scores = json.loads(out.read_text())["mIoU"]
    assert scores.keys() == {f"{m}, {a}" for m in MAP_SOURCES for a in AFFINITY_SOURCES}
    for row in scores.values():
        assert {"plain", "PAR"} <= row.keys()
        assert 0 < row["plain"] <= 100
    assert len({row["plain"] for row in scores.values()}) > 3
    assert ("not run" in capsys.readouterr().out) == ("CRF" not in scores["gradcam, none"])


def test_parts_have_their_own_constants(maps):
    for affinity, power in (("attention", 2), (maps.REFINED, 2), ("class-distribution", 1)):
        config = maps.configuration(["data.root=."], "demo", "patch-text", affinity, "PAR")
        assert config.cam.source == "patch-text"
        assert config.affinity.source in affinity
        assert (config.affinity.power, config.label.par) == (power, True)
