"""Peak memory of commands on images of 54 and 60 million pixels: `benchmarks/memory.py`."""

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
