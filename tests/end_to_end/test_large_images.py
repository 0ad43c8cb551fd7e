"""Peak memory of commands on large images: `benchmarks/memory.py` and `benchmarks/large.py`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured on Linux")
@pytest.mark.parametrize("command", ["predict", "evaluate", "label"])
def test_memory_of_large_images(tmp_path, monkeypatch, command):
    monkeypatch.syspath_prepend(BENCHMARKS)
    from memory import LIMITS

    figures = tmp_path / "figures.json"
    script = [sys.executable, str(BENCHMARKS / "memory.py")]
    subprocess.run([*script, "--only", command, "--out", str(figures)], check=True)
    peaks = json.loads(figures.read_text())["gigabytes"]
    assert len(peaks) >= 2
    assert max(peaks.values()) < LIMITS[command], peaks


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured on Linux")
def test_memory_of_tiles_at_100_million_pixels(tmp_path):
    figures = tmp_path / "figures.json"
    script = [sys.executable, str(BENCHMARKS / "large.py"), "cost", "--sides", "10000"]
    subprocess.run([*script, "--out", str(figures)], check=True)
    gigabytes, *_ = json.loads(figures.read_text())["gigabytes_and_seconds"]["10000"]
    assert gigabytes < 2
