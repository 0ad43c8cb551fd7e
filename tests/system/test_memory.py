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


THREADS = """
import threading
from pathlib import Path
from weclip.system.memory import keep_freed_memory
assert keep_freed_memory()
import numpy as np

def taken():
    return int(Path("/proc/self/statm").read_text().split()[1])

def work():
    [np.ones(2**17) for _ in range(100)]  # 100 MB
    done.release()
    end.wait()

before, done, end = taken(), threading.Semaphore(0), threading.Event()
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
    done.acquire()
print(taken() - before)
end.set()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc only")
def test_what_a_thread_has_freed_is_there_for_others():
    pages = int(subprocess.check_output([sys.executable, "-c", THREADS]))
    assert pages * resource.getpagesize() < 200 * 2**20  # of 400


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
