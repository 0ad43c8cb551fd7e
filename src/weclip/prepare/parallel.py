"""The same work for many files, on all cores."""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from weclip.prepare.sources import Report
from weclip.system.errors import InputError
from weclip.system.processes import cores, interrupts_wait, leave_interrupts_to_the_parent

Item = TypeVar("Item")

_CHUNK = 32  # items that a process takes at a time


def for_each(
    work: Callable[[Item], object], items: Sequence[Item], what: str, report: Report
) -> None:
    """Do work for every item, in processes; an error in one of them ends all.

    Args:
        work: A function of a module, so that processes find it.
        items: What it is called with.
        what: The work in words.
        report: Told of the progress: items done, and of how many.

    Raises:
        InputError: From the work, or a process was killed.
    """
    if not items:
        return
    workers = min(cores(), -(-len(items) // _CHUNK))
    try:
        with ProcessPoolExecutor(workers, initializer=leave_interrupts_to_the_parent) as pool:
            try:
                with interrupts_wait():  # the processes begin with the first call
                    results = pool.map(work, items, chunksize=_CHUNK)
                for done, _ in enumerate(results, 1):
                    report(what, done, len(items))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    except BrokenProcessPool:
        raise InputError(
            f"{what}: a process was killed, perhaps for lack of memory; run again to continue"
        ) from None
