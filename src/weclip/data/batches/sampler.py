"""Which images the batch of a step holds, and which of them each process takes.

Stage 1. A pure function of seed and step.
"""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from torch.utils.data import Sampler

from weclip.system.errors import InputError


class StepSampler(Sampler[list[tuple[int, int]]]):
    """Keys of the batches from `start_step` on, endlessly; shuffled epochs joined end to end.

    Every batch is full; one that spans two epochs may hold an image twice. Step s takes the
    samples s * batch_size on of the stream, and each process its share of them.
    """

    def __init__(
        self,
        num_samples: int,
        *,
        batch_size: int,
        seed: int,
        start_step: int = 0,
        rows: range | None = None,
    ) -> None:
        self.num_samples = num_samples
        self.batch_size = batch_size
        self.seed = seed
        self.start_step = start_step
        self.rows = range(batch_size) if rows is None else rows

    def batch(self, step: int) -> list[tuple[int, int]]:
        """Return the (epoch, index) keys of `rows` of the batch of `step`."""
        keys = []
        for position in (step * self.batch_size + row for row in self.rows):
            epoch, offset = divmod(position, self.num_samples)
            keys.append((epoch, int(_epoch_order(self.seed, epoch, self.num_samples)[offset])))
        return keys

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        step = self.start_step
        while True:
            yield self.batch(step)
            step += 1


def rows_of(process_index: int, process_count: int, batch_size: int) -> range:
    """Which of a batch's images a process takes: as equal parts as can be, none empty.

    Raises:
        InputError: There are more processes than images.

    >>> [list(rows_of(index, 3, 8)) for index in range(3)]
    [[0, 1], [2, 3, 4], [5, 6, 7]]
    """
    if process_count > batch_size:
        raise InputError(
            f"train.batch_size={batch_size} is too small for {process_count} processes, which "
            "share it; raise it, or start fewer"
        )
    edges = [index * batch_size // process_count for index in (process_index, process_index + 1)]
    return range(*edges)


@lru_cache(maxsize=4)
def _epoch_order(seed: int, epoch: int, num_samples: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng((seed, epoch)).permutation(num_samples)
