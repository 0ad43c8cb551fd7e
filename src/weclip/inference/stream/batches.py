"""Images of one size go through a network together; results keep the order of the images.

Stage 6.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Generic, TypeVar

from weclip.inference.stream.beside import HELD, UntilError, held_bytes

Item = TypeVar("Item")
Result = TypeVar("Result")
Size = tuple[int, int]

BATCH = 8
"""Images that go through a network together, where their sizes allow it."""

AHEAD = 4
"""Batches whose images may wait for others of their size."""


class _Place(Generic[Item, Result]):
    """An item that waits for others of its size, or its result for those of items before it."""

    def __init__(self, item: Item, size: Size | None) -> None:
        self.item, self.size = item, size
        self.result: list[Result] = []


def in_batches(
    items: Iterable[Item],
    compute: Callable[[list[Item]], Iterable[Result]],
    *,
    size_of: Callable[[Item], Size | None],
    pixels: int,
    most: int = BATCH,
) -> Iterator[tuple[Item, Result]]:
    """Compute items of one size together, and give their results in the order of the items.

    Args:
        items: An error of theirs is raised after the results of what came before it.
        compute: The results of items of one size.
        size_of: (H, W) at which the network sees an item; None: it goes alone.
        pixels: Pixels of a batch; an item of more goes alone.
        most: Items of a batch.
    """
    waiting: deque[_Place[Item, Result]] = deque()
    source = UntilError(items)
    for item in source:
        waiting.append(_Place(item, size_of(item)))
        while waiting and _is_time(waiting, pixels, most):
            yield from _next(waiting, compute, _room(waiting[0].size, pixels, most))
    while waiting:
        yield from _next(waiting, compute, _room(waiting[0].size, pixels, most))
    source.finish()


def _next(
    waiting: deque[_Place[Item, Result]],
    compute: Callable[[list[Item]], Iterable[Result]],
    room: int,
) -> Iterator[tuple[Item, Result]]:
    """Compute the batch of the first that waits, and let go what then has nothing before it."""
    batch = _first(waiting, room)
    for place, result in zip(batch, compute([each.item for each in batch]), strict=True):
        place.result.append(result)
    while waiting and waiting[0].result:
        place = waiting.popleft()
        yield place.item, place.result[0]


def _is_time(waiting: deque[_Place[Item, Result]], pixels: int, most: int) -> bool:
    """Whether the first that waits has its batch, or too much waits."""
    room = _room(waiting[0].size, pixels, most)
    too_many = len(waiting) >= AHEAD * most
    held = sum(held_bytes(place.item) for place in waiting)
    return len(_first(waiting, room)) == room or too_many or held > HELD


def _room(size: Size | None, pixels: int, most: int) -> int:
    """How many of a size go together."""
    return 1 if size is None else max(1, min(most, pixels // (size[0] * size[1])))


def _first(waiting: deque[_Place[Item, Result]], room: int) -> list[_Place[Item, Result]]:
    """The first that waits, and as many more of its size as there is room for."""
    size = waiting[0].size
    alike = (place for place in waiting if place.size == size and not place.result)
    return list(islice(alike, room))
