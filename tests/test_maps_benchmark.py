"""benchmarks/maps.py: every combination is there, with constants of its own."""

import json
import sys
from pathlib import Path

import pytest

from weclip.parts import AFFINITY, MAP_SOURCE

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
    assert scores.keys() == {
        f"{m}, {a}"
        for m in MAP_SOURCE.file_names()
        for a in AFFINITY.file_names()
        if m != maps.FOREIGN_GRID or a == "none"
    }
    for row in scores.values():
        assert {"plain", "PAR"} <= row.keys()
        assert 0 < row["plain"] <= 100
    assert len({row["plain"] for row in scores.values()}) > 3
    assert ("not run" in capsys.readouterr().out) == ("CRF" not in scores["gradcam, none"])


def test_parts_have_their_own_constants(maps):
    for affinity in ("attention", maps.REFINED, "class_distribution"):
        config = maps.configuration(["data.root=."], "demo", "patch_text", affinity, "PAR")
        assert config.cam.source == "patch_text"
        assert config.affinity.source in affinity
        powers = (config.affinity.attention.power, config.affinity.class_distribution.power)
        assert (*powers, config.label.par) == (2, 1, True)
