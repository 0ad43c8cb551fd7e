"""Nothing is left of a run that was killed: its workers end too, even one that waits to write."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

PARENT = """
import multiprocessing, os, time
from weclip.data.worker_errors import start_worker

def work(pipe):
    start_worker(0)
    pipe.send_bytes(bytes(10_000_000))  # nobody reads it, and the pipe stays open here

if __name__ == "__main__":
    pipes = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(target=work, args=(pipes[1],))
    child.start()
    print(child.pid, flush=True)
    time.sleep(60)
"""


def test_a_blocked_worker_ends_with_its_parent():
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = Path(f"/proc/{int(parent.stdout.readline())}")
    time.sleep(0.5)
    assert child.exists()
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    for _ in range(100):
        if not child.exists() or "Z (zombie)" in (child / "status").read_text():
            return
        time.sleep(0.1)
    os.kill(int(child.name), signal.SIGKILL)
    raise AssertionError("the worker outlived its parent by ten seconds")
