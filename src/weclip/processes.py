"""What all pools of processes share: how many there are, and who answers Ctrl-C."""

import os
import signal


def cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def leave_interrupts_to_the_parent() -> None:
    """To be called first in a process: Ctrl-C reaches all of them, and only the parent says so."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
