"""What a command and its pools share: how many processes, who answers Ctrl-C, who keeps quiet."""

import logging
import os
import signal
import warnings


def cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def leave_interrupts_to_the_parent() -> None:
    """To be called first in a process: Ctrl-C reaches all of them, and only the parent says so."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def silence_pillow() -> None:
    """Drop what Pillow warns about (damaged tags, say), which would break progress bars.

    For a process of our own: a program that imports weclip decides for itself. Once for a whole
    process, because catching warnings image by image is not safe in threads before Python 3.14.
    """
    warnings.filterwarnings("ignore", module=r"PIL\b")
    logging.getLogger("PIL").addHandler(logging.NullHandler())
