"""Predict a stream of images while the next are read and the CRF refines the last.

Stage 6. Results come in the order of the images, and only a few of them are held at a time.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from weclip.inference.predictor import Predictor, refined_label_map
from weclip.system.processes import cores

Key = TypeVar("Key")
Result = TypeVar("Result")
Image = NDArray[np.uint8]


def predict_stream(
    predictor: Predictor, images: Iterable[tuple[Key, Image]], *, processes: int | None = None
) -> Iterator[tuple[Key, Image]]:
    """Segment images in order.

    Args:
        predictor: The model with its test protocol.
        images: Pairs of anything and an image (H, W, 3) uint8, RGB.
        processes: How many refine by the CRF beside the model; None for one per core.

    Yields:
        The first of each pair, and its label map (H, W) uint8.
    """
    crf = predictor.crf
    if crf is None:
        for key, image in images:
            yield key, predictor(image)
        return
    calls = (
        (key, partial(refined_label_map, crf, image, predictor.probabilities(image)))
        for key, image in images
    )
    yield from in_processes(calls, processes)


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
        jobs = ((key, pool.submit(call)) for key, call in calls)
        yield from _in_order(jobs, ahead=2 * count)


def read_ahead(
    keys: Iterable[Key], read: Callable[[Key], Result], *, ahead: int = 4
) -> Iterator[tuple[Key, Result]]:
    """Read in a thread of its own, a few images ahead of who asks for them."""
    with ThreadPoolExecutor(1) as reader:
        yield from _in_order(((key, reader.submit(read, key)) for key in keys), ahead=ahead)


class Writer:
    """Writes results in a thread of its own; leaving the context waits for all of them.

    The first error of a write is raised by the next call, or at the end.
    """

    def __init__(self, ahead: int = 8) -> None:
        self._ahead = ahead
        self._pool: Executor = ThreadPoolExecutor(1)
        self._jobs: deque[Future[None]] = deque()

    def __enter__(self) -> "Writer":
        return self

    def __call__(self, write: Callable[..., None], *arguments: Any) -> None:
        """Call `write(*arguments)` soon."""
        self._jobs.append(self._pool.submit(write, *arguments))
        while len(self._jobs) > self._ahead:
            self._jobs.popleft().result()

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._pool.shutdown()
        if kind is None:
            for job in self._jobs:
                job.result()


def _in_order(
    jobs: Iterable[tuple[Key, "Future[Result]"]], *, ahead: int
) -> Iterator[tuple[Key, Result]]:
    """Results of jobs, with at most `ahead` more of them under way."""
    waiting: deque[tuple[Key, Future[Result]]] = deque()
    try:
        for job in jobs:
            waiting.append(job)
            if len(waiting) > ahead:
                key, result = waiting.popleft()
                yield key, result.result()
        while waiting:
            key, result = waiting.popleft()
            yield key, result.result()
    finally:
        for _, result in waiting:
            result.cancel()
