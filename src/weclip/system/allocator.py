"""The C library's memory allocator, told to keep what a training step frees.

By default glibc gives every large block back to the system at once, and gets it again, zeroed
page by page, in the next step. On a CPU that can be a third of the time of a step.
"""

import ctypes
import sys

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
"""Options of `mallopt` in glibc's `malloc.h`: a threshold of -1 never gives memory back."""

TOP_PAD = 64 * 2**20


def keep_freed_memory() -> bool:
    """Let this process reuse freed memory; whether the C library can (glibc on Linux)."""
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    options = ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, -1), (M_TOP_PAD, TOP_PAD))
    return all(mallopt(option, value) == 1 for option, value in options)
