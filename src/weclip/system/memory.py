"""Memory: how much is free, and a C library that is told to keep what a training step frees.

By default glibc gives every large block back to the system at once, and gets it again, zeroed
page by page, in the next step. On a CPU that can be a third of the time of a step.
"""

import ctypes
import sys
from pathlib import Path

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX, M_ARENA_MAX = -1, -2, -4, -8
"""Options of `mallopt` in glibc's `malloc.h`: a threshold of -1 never gives memory back, and with
one arena what a thread has freed is there for all (else each would keep its own)."""

TOP_PAD = 64 * 2**20


def keep_freed_memory() -> bool:
    """Let this process reuse freed memory; whether the C library can (glibc on Linux)."""
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    options = ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, -1), (M_TOP_PAD, TOP_PAD), (M_ARENA_MAX, 1))
    return all(mallopt(option, value) == 1 for option, value in options)


LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Files that hold the most bytes that a container may take: cgroups of version 2 and 1."""


def free_memory() -> int | None:
    """Bytes that this process can hardly take more than; None where the system does not say."""
    return _memory("MemAvailable")


def total_memory() -> int | None:
    """Bytes of the machine, or of the container; None where the system does not say."""
    return _memory("MemTotal")


def most_memory() -> int | None:
    """Most bytes that this process has held so far; None on Windows."""
    if sys.platform == "win32":
        return None
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most


def _memory(line: str) -> int | None:
    """The bytes of a line of /proc/meminfo, at most what the container may take."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        facts = dict(each.split(":", 1) for each in lines)
        found = 1024 * int(facts[line].split()[0])
    except (OSError, ValueError, LookupError):
        return None
    return min([found, *filter(None, map(_number, LIMITS))])


def _number(file: str) -> int | None:
    """The number in a file; None where there is none: no file, or `max`."""
    try:
        return int(Path(file).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
