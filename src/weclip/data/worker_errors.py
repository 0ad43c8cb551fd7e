"""User errors from worker processes stay one line, and what Pillow warns about there unsaid.

Stage 1. PyTorch re-raises a worker's exception with the worker's traceback as its message. So
workers hand an `InputError` over as an item, and the main process raises it.
"""

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from torch.utils.data import Dataset

from weclip.system.errors import InputError
from weclip.system.processes import end_with_the_parent, leave_signals_to_the_parent, silence_pillow

Item = TypeVar("Item")


class ErrorsAsItems(Dataset[Item | InputError]):
    """A data set that returns the `InputError` that the wrapped one raises."""

    def __init__(self, dataset: Dataset[Item]) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)  # type: ignore[arg-type]  # map-style sets have a length

    def __getitem__(self, key: Any) -> Item | InputError:
        """Return the item of `key`, or what went wrong with it."""
        try:
            return self.dataset[key]
        except InputError as error:
            return error


def raise_errors(items: Iterable[Item | InputError]) -> Iterator[Item]:
    """Yield the items, raising the first error among them."""
    for item in items:
        if isinstance(item, InputError):
            raise item
        yield item


def start_worker(index: int) -> None:
    """To be called first in each worker, which may have inherited nothing from its parent."""
    silence_pillow()
    leave_signals_to_the_parent()
    end_with_the_parent()
