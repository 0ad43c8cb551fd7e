import resource
import subprocess
import sys
from pathlib import Path

import pytest

from weclip.system import memory

REUSE = """
import resource, sys
from weclip.system.memory import keep_freed_memory
assert sys.argv[1] == "no" or keep_freed_memory()
import numpy as np
np.ones(2**22)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    np.ones(2**22)  # 32 MB
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc only")
def test_freed_memory_is_used_again_without_page_faults():
    faults = {
        keep: int(subprocess.check_output([sys.executable, "-c", REUSE, keep]))
        for keep in ("no", "yes")
    }
    pages = 20 * 2**25 // resource.getpagesize()
    if faults["no"] < pages / 1000:
        pytest.skip("this system gives memory in larger pieces")
    assert faults["yes"] < faults["no"] / 10


@pytest.mark.skipif(sys.platform != "linux", reason="Linux only")
def test_free_memory(tmp_path, monkeypatch):
    whole = 1024 * int(Path("/proc/meminfo").read_text().split()[1])
    free = memory.free_memory()
    assert free is not None
    assert 0 < free <= whole
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(memory, "LIMITS", (str(tmp_path / "missing"), str(limit)))
    for text, expected in (("12345\n", 12345), ("max\n", pytest.approx(free, rel=0.5))):
        limit.write_text(text)
        assert memory.free_memory() == expected
