"""Outlines of regions along the edges of pixels: drawn again, they give the same pixels."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Vertices = NDArray[np.int64]
"""(V, 2) corners of pixels, x and y; (0, 0) is the corner of the image."""

RIGHT, DOWN, LEFT, UP = range(4)
STEP = np.array([(1, 0), (0, 1), (-1, 0), (0, -1)])


def outlines(region: NDArray[np.bool_]) -> list[Vertices]:
    """Trace a region: one polygon for each of its parts, clockwise on the screen.

    Pixels that only touch at a corner are of two parts. A hole is joined to the outline by a cut
    of no width, there and back along one row, so that a part with holes is one polygon too.

    Args:
        region: (H, W) bool.

    Returns:
        Polygons in the order of their first edges, each without its first corner repeated.

    >>> [each.tolist() for each in outlines(np.array([[True, False], [True, True]]))]
    [[[1, 0], [1, 1], [2, 1], [2, 2], [0, 2], [0, 0]]]
    """
    edges = _Edges(region)
    loops = list(edges.loops())
    outer = []
    for loop in loops:
        edge = edges.leftmost(loop)
        if edges.direction[edge] == UP:
            outer.append(loop[0])
        else:  # the region is left of it: a hole, cut to a loop that begins farther left
            edges.cut(edges.left_end_of_run(edge), edge)
    return [edges.corners(first) for first in outer]


class _Edges:
    """Edges of pixels between a region and the rest, linked with the region on their right.

    Attributes:
        start: (E, 2) x and y of each edge's first corner.
        direction: (E,) `RIGHT`, `DOWN`, `LEFT` or `UP`.
        after: The edge after each.
        before: The edge before each.
    """

    def __init__(self, region: NDArray[np.bool_]) -> None:
        padded = np.pad(region, 1)
        inside, parts = padded[1:-1, 1:-1], []
        beside = (padded[:-2, 1:-1], padded[1:-1, 2:], padded[2:, 1:-1], padded[1:-1, :-2])
        first = ((0, 0), (1, 0), (1, 1), (0, 1))  # corner of the pixel, x and y, by direction
        for direction in (RIGHT, DOWN, LEFT, UP):
            y, x = np.nonzero(inside & ~beside[direction])
            across, down = first[direction]
            parts.append(np.stack([x + across, y + down, np.full_like(x, direction)], axis=1))
        table = np.concatenate(parts)
        self._width = region.shape[1] + 1
        self._keys = self._key(table[:, :2], table[:, 2])
        order = np.argsort(self._keys)
        self._keys = self._keys[order]
        self.start, self.direction = table[order, :2], table[order, 2]
        self._ups = np.flatnonzero(self.direction == UP)  # from (x, y + 1) to (x, y)
        self._up_keys = (self.start[self._ups, 1] - 1) * self._width + self.start[self._ups, 0]
        after = self._find_after(padded)
        self.after: list[int] = after.tolist()
        self.before: list[int] = np.argsort(after).tolist()

    def _key(self, start: Vertices, direction: NDArray[np.int64] | int) -> NDArray[np.int64]:
        keys: NDArray[np.int64] = (start[:, 1] * self._width + start[:, 0]) * 4 + direction
        return keys

    def _find_after(self, padded: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Round the same pixel, straight on, or along the pixel that closes the way."""
        end = self.start + STEP[self.direction]
        forward, right = STEP[self.direction], STEP[(self.direction + 1) % 4]
        corner = end + 1  # in the padded region; the pixel before it is up and left
        ahead_right = padded[tuple((corner + (forward + right - 1) // 2).T[::-1])]
        ahead_left = padded[tuple((corner + (forward - right - 1) // 2).T[::-1])]
        turn = np.where(~ahead_right, 1, np.where(~ahead_left, 0, -1))
        found: NDArray[np.int64] = np.searchsorted(
            self._keys, self._key(end, (self.direction + turn) % 4)
        )
        return found

    def loops(self) -> Iterator[list[int]]:
        """Closed ways, each from its first edge in reading order."""
        seen = np.zeros(len(self.start), bool)
        for first in range(len(self.start)):
            if not seen[first]:
                loop = list(self.loop(first))
                seen[loop] = True
                yield loop

    def loop(self, first: int) -> Iterator[int]:
        """Edges from `first` on until it comes again."""
        edge = first
        while True:
            yield edge
            edge = self.after[edge]
            if edge == first:
                return

    def left_end_of_run(self, edge: int) -> int:
        """The `UP` edge at the left of the run of pixels whose right end is a `DOWN` edge."""
        x, y = self.start[edge]
        return int(self._ups[np.searchsorted(self._up_keys, y * self._width + x) - 1])

    def leftmost(self, loop: list[int]) -> int:
        """The first of a loop's upright edges that are farthest left."""
        own = np.array(loop)
        upright = own[self.direction[own] % 2 == 1]
        return int(upright[self.start[upright, 0].argmin()])

    def cut(self, left: int, right: int) -> None:
        """Go from the end of the edge `left` to the start of `right`, and after its loop back."""
        following, last = self.after[left], self.before[right]
        self.after[left], self.before[right] = right, left
        self.after[last], self.before[following] = following, last

    def corners(self, first: int) -> Vertices:
        """The closed way from `first` on, without corners that it goes straight through."""
        way = np.array(list(self.loop(first)))
        both = np.stack([self.start[way], self.start[way] + STEP[self.direction[way]]], axis=1)
        points: Vertices = both.reshape(-1, 2)
        points = points[(points != np.roll(points, 1, axis=0)).any(axis=1)]
        steps = np.sign(np.roll(points, -1, axis=0) - points)
        turns: Vertices = points[(steps != np.roll(steps, 1, axis=0)).any(axis=1)]
        return turns
