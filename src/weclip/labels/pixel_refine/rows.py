"""PAR of an image of any height on a CPU: rows come in from above, refined ones go out.

What takes memory is the weights of all neighbours. A row's refinement needs `reach` rows above and
below for each repetition, so a window that is cut out of an image has to be refined with all that
lies around it. Here nothing is refined twice: a band of rows comes in, and each repetition goes on
as far as the one before lets it. The repetitions follow each other down the image, and weights are
held from the row that the first has reached to that of the last.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from weclip.labels.pixel_refine import native
from weclip.labels.pixel_refine.par import ROWS, reach_of
from weclip.labels.pixel_refine.settings import ParSettings, position_weights

RowsOf = Callable[[slice], Tensor]
"""Rows of an image (H, W) -> (N, rows, W) float32."""


def spread_rows(
    maps: RowsOf, image: RowsOf, height: int, settings: ParSettings
) -> Iterator[tuple[slice, Tensor]]:
    """Refine maps.

    Args:
        maps: M maps.
        image: The image, three channels.
        height: H, of both.
        settings: Constants.

    Yields:
        Rows, from the first to the last, and their refined maps (M, rows, W).
    """
    native.use_threads()
    weights = _Weights(image, height, settings)
    stages = [_Rows(height) for _ in range(settings.iterations + 1)]
    reach = max(settings.dilations)
    for top in range(0, height, ROWS):
        rows = slice(top, min(top + ROWS, height))
        weights.add(rows)
        stages[0].add(maps(rows))
        for before, after in pairwise(stages):
            stop = height if before.stop == height else before.stop - reach
            if stop > after.stop:
                source = before.padded(slice(after.stop, stop), reach)
                after.add(weights.step(source, after.stop))
            before.forget(after.stop - reach)
        refined = stages[-1].take()
        if refined.shape[1]:
            yield slice(stages[-1].stop - refined.shape[1], stages[-1].stop), refined


class _Weights:
    """Weights of the neighbours of those rows that the repetitions are at."""

    def __init__(self, image: RowsOf, height: int, settings: ParSettings) -> None:
        self.image = image
        self.height = height
        self.distances = np.array(settings.dilations)
        self.colour_width = np.float32(settings.colour_width)
        self.position = position_weights(settings).numpy()
        self._most = min(height, ROWS + reach_of(settings))
        self._held: native.Floats | None = None  # R,8d,W: row y of the image is in y modulo R

    def add(self, rows: slice) -> None:
        """Take in the next rows."""
        reach = int(self.distances.max())
        seen, around = within(rows, reach, self.height)
        image = native.padded(self.image(seen), reach, around)
        new = native.neighbour_weights(image, self.distances, self.colour_width, self.position)
        if self._held is None:
            self._held = np.empty((self._most, *new.shape[1:]), np.float32)
        self._held[np.arange(rows.start, rows.stop) % self._most] = new

    def step(self, maps: native.Floats, first: int) -> Tensor:
        """The next maps (M, rows, W) of padded rows, of which `first` is the first."""
        assert self._held is not None  # the rows came in before
        return torch.from_numpy(native.step(maps, self._held, first % self._most, self.distances))


def within(rows: slice, reach: int, height: int) -> tuple[slice, tuple[int, int]]:
    """Rows with all within `reach` of them.

    Returns:
        Those that there are, and how many are missing above and below.
    """
    seen = slice(max(0, rows.start - reach), min(rows.stop + reach, height))
    return seen, (seen.start - rows.start + reach, rows.stop + reach - seen.stop)


class _Rows:
    """Rows of all maps after some repetitions: those that are still needed.

    Attributes:
        stop: How many of the image's rows there have been.
    """

    def __init__(self, height: int) -> None:
        self.height = height
        self.stop = 0
        self._held = torch.empty(0, 0, 0)  # M,rows,W, of which the last is row `stop` - 1

    def add(self, rows: Tensor) -> None:
        """Take in the next rows (M, rows, W)."""
        self._held = torch.cat([self._held, rows], dim=1) if self._held.numel() else rows
        self.stop += rows.shape[1]

    def padded(self, rows: slice, reach: int) -> native.Floats:
        """Rows with all within `reach`, the image's border repeated: (M, rows+2r, W+2r)."""
        seen, around = within(rows, reach, self.height)
        first = self.stop - self._held.shape[1]
        return native.padded(self._held[:, seen.start - first : seen.stop - first], reach, around)

    def forget(self, before: int) -> None:
        """Drop the rows before this one of the image."""
        first = self.stop - self._held.shape[1]
        if before > first:
            self._held = self._held[:, before - first :].clone()

    def take(self) -> Tensor:
        """All rows that are held, which no longer are."""
        rows, self._held = self._held, self._held[:, :0]
        return rows
