"""What a command and its helper processes share: how many, who answers signals, who is quiet."""

import logging
import os
import signal
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

STOP_SIGNALS = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGUSR1", "SIGHUP")
    if hasattr(signal, name)
)
"""Ctrl-C, what clusters send before they kill, a closed terminal; a training run answers them."""


def cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def leave_interrupts_to_the_parent() -> None:
    """To be called first in a process: Ctrl-C reaches all of them, and only the parent says so."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def interrupts_wait() -> Iterator[None]:
    """Ctrl-C in here is answered at the end.

    Processes that are forked in here inherit that, so that none is hit before its
    `leave_interrupts_to_the_parent`.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows, which does not fork
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def leave_signals_to_the_parent() -> None:
    """To be called first in a loader's worker: the run it reads for decides when to end."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def end_with_the_parent() -> None:
    """To be called first in a loader's worker: a parent that is killed cannot stop it.

    PyTorch's worker notices, but then waits for ever to hand over what nobody takes any more.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def silence_pillow() -> None:
    """Drop what Pillow warns about (damaged tags, say), which would break progress bars.

    For a process of our own: a program that imports weclip decides for itself. Once for a whole
    process, because catching warnings image by image is not safe in threads before Python 3.14.
    """
    warnings.filterwarnings("ignore", module=r"PIL\b")
    logging.getLogger("PIL").addHandler(logging.NullHandler())
