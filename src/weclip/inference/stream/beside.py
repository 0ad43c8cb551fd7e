"""What runs beside the computation: reading ahead, other processes, writing.

Stage 6. Results come in the order of the images, and only a few of them are held at a time; of
large ones fewer, so that memory is bounded by bytes too.
"""

import sys
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing
from dataclasses import fields, is_dataclass
from functools import partial
from multiprocessing import get_context
from threading import Condition
from traceback import clear_frames
from typing import Any, TypeVar

import numpy as np

from weclip.system.processes import cores

Key = TypeVar("Key")
Item = TypeVar("Item")
Result = TypeVar("Result")

HELD = 2**27
"""Bytes that are read ahead, or wait to be written; one image may be larger."""

FOR_CRF = 2**28
"""Bytes that wait for each process that refines by the CRF; one image may be larger."""


class UntilError(Iterator[Item]):
    """Items until their end or their first error, which `finish` raises: first what was begun.

    Args:
        items: The items.
    """

    def __init__(self, items: Iterable[Item]) -> None:
        self._items = iter(items)
        self._error: Exception | None = None

    def __next__(self) -> Item:
        try:
            return next(self._items)
        except StopIteration:
            raise
        except Exception as error:
            clear_frames(error.__traceback__)  # large arrays, if memory was short
            self._error = error
            raise StopIteration from None

    def finish(self) -> None:
        """Raise the error that ended the items, if one did."""
        if self._error is not None:
            raise self._error


def in_processes(
    calls: Iterable[tuple[Key, Callable[[], Result]]], processes: int | None = None
) -> Iterator[tuple[Key, Result]]:
    """Results of calls, in order, while the next calls are made ready.

    Args:
        calls: Pairs of anything and a call that can be pickled.
        processes: How many make the calls; None for one per core.
    """
    count = processes or cores()
    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
        jobs = ((key, pool.submit(call), held_bytes((key, call))) for key, call in calls)
        yield from _in_order(jobs, ahead=2 * count, most=FOR_CRF * count)


def read_ahead(
    keys: Iterable[Key], read: Callable[[Key], Result], *, ahead: int = 4
) -> Iterator[tuple[Key, Result]]:
    """Read in a thread of its own, a few images ahead of who asks for them.

    Nothing further is read while what waits takes `HELD` bytes, nor are more keys taken that do.
    """
    room = _Room()
    with ThreadPoolExecutor(1) as reader:
        jobs = ((key, reader.submit(room.fill, read, key), held_bytes(key)) for key in keys)
        with closing(_in_order(jobs, ahead=ahead, most=HELD)) as results, closing(room):
            for key, result in results:
                room.leave(result)
                yield key, result


class _Room:
    """Where results wait from being read to being taken."""

    def __init__(self) -> None:
        self._bytes = 0
        self._closed = False
        self._changed = Condition()

    def fill(self, read: Callable[[Key], Result], key: Key) -> Result:
        """Read as soon as there is room."""
        with self._changed:
            self._changed.wait_for(lambda: self._bytes < HELD or self._closed)
        result = read(key)
        with self._changed:
            self._bytes += held_bytes(result)
        return result

    def leave(self, result: object) -> None:
        """Make room: a result is taken."""
        with self._changed:
            self._bytes -= held_bytes(result)
            self._changed.notify()

    def close(self) -> None:
        """Let the reader go: nobody wants what it reads any more."""
        with self._changed:
            self._closed = True
            self._changed.notify()


class Writer:
    """Writes results in a thread of its own; leaving the context waits for all of them.

    The first error of a write is raised by a later call, or at the end.
    """

    def __init__(self, ahead: int = 8) -> None:
        self._ahead = ahead
        self._pool: Executor = ThreadPoolExecutor(1)
        self._jobs: deque[tuple[Future[None], int]] = deque()

    def __enter__(self) -> "Writer":
        return self

    def __call__(self, write: Callable[..., None], *arguments: Any) -> None:
        """Call `write(*arguments)` soon."""
        self._jobs.append((self._pool.submit(write, *arguments), held_bytes(arguments)))
        while _too_much(self._jobs, self._ahead, HELD):
            self._jobs.popleft()[0].result()

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._pool.shutdown()
        if kind is None:
            for job, _ in self._jobs:
                job.result()


def held_bytes(value: object) -> int:
    """Bytes of the arrays in a value; in tuples, dataclasses and calls to be made too."""
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, partial):
        return held_bytes(value.args)
    if is_dataclass(value) and not isinstance(value, type):
        return sum(held_bytes(getattr(value, field.name)) for field in fields(value))
    return sum(map(held_bytes, value)) if isinstance(value, tuple | list) else 0


def _in_order(
    jobs: Iterable[tuple[Key, "Future[Result]", int]], *, ahead: int, most: int = sys.maxsize
) -> Generator[tuple[Key, Result], None, None]:
    """Results of jobs, with at most `ahead` more of them under way.

    Args:
        jobs: Key, job, and the bytes that it holds; each is made when there is room for it. Where
            none can be made, results of those before it come first.
        ahead: How many.
        most: Bytes of all that are under way.
    """
    waiting: deque[tuple[Key, Future[Result], int]] = deque()
    source = UntilError(jobs)
    try:
        for job in source:
            waiting.append(job)
            while _too_much(waiting, ahead, most):
                key, result, _ = waiting.popleft()
                yield key, result.result()
        while waiting:
            key, result, _ = waiting.popleft()
            yield key, result.result()
        source.finish()
    finally:
        for _, result, _ in waiting:
            result.cancel()


def _too_much(jobs: Collection[tuple[Any, ...]], ahead: int, most: int) -> bool:
    """Whether more than `ahead` jobs wait, or more than `most` bytes; a job's bytes come last."""
    return len(jobs) > ahead or sum(job[-1] for job in jobs) > most
