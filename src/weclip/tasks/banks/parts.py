"""A bank in the making: a file for each few images, so that work can stop, go on and be shared.

Which images a part has depends on nothing but their order; shards take turns with the parts.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import Generic, TypeVar

import torch
from rich.console import Console

from weclip.labels.banks.bank_file import read_bank, save_bank
from weclip.labels.banks.feature_bank import FeatureBank, joined
from weclip.system.console import warn
from weclip.system.errors import InputError
from weclip.system.files import remove_temporaries, write_json
from weclip.system.untrusted.documents import read_json

TOGETHER = 16
"""Images of a part."""

RECIPE = "recipe.json"
MOST_ROWS = 10**9

Item = TypeVar("Item")
Shard = tuple[int, int] | None


@dataclass(frozen=True)
class WorkParts(Generic[Item]):
    """The parts of one bank.

    Attributes:
        folder: Where they lie; it goes away when they are joined.
        items: What they are made of, all of it.
        recipe: What decides the rows, in words, by what it is.
    """

    folder: Path
    items: Sequence[Item]
    recipe: Mapping[str, str]

    def enter(self, *, joins: bool) -> None:
        """Make the folder, or go on with what is there.

        Args:
            joins: Whether earlier or concurrent work is continued; else it is thrown away.

        Raises:
            InputError: What is there is of another bank.
        """
        path = self.folder / RECIPE
        if not joins:
            for each in [path, *self.folder.glob("*.safetensors")]:
                each.unlink(missing_ok=True)
        if not path.exists():
            write_json(path, dict(self.recipe))
        before = read_json(path, "recipe")
        if before != dict(self.recipe):
            changed = [key for key in self.recipe if before.get(key) != self.recipe[key]]
            raise InputError(
                f"{self.folder} holds parts that were made otherwise (other "
                f"{', '.join(changed) or 'keys'}); give the same, or start anew with --overwrite"
            )

    def missing(self, shard: Shard = None) -> list[int]:
        """Numbers of the parts that are not there yet, of a shard (i, n) or of all."""
        numbers = range(self.count) if shard is None else range(shard[0] - 1, self.count, shard[1])
        return [number for number in numbers if not self._path(number).exists()]

    def items_of(self, number: int) -> Sequence[Item]:
        """What a part is made of."""
        return self.items[TOGETHER * number : TOGETHER * (number + 1)]

    def make(self, make: Callable[[Item], FeatureBank], shard: Shard = None) -> Iterator[Item]:
        """Make the parts that are not there; the items, each when it is done."""
        for number in self.missing(shard):
            banks = []
            for item in self.items_of(number):
                banks.append(make(item))
                yield item
            save_bank(self._path(number), joined(banks))

    def joined(self) -> FeatureBank:
        """All parts as one bank, in the order of the items; `InputError` if one is damaged."""
        numbers = range(self.count)
        return joined([read_bank(self._path(n), most_rows=MOST_ROWS, key="") for n in numbers])

    def remove(self) -> None:
        """Throw the parts away, and the recipe after them: none is ever without."""
        for path in self.folder.glob("*.safetensors"):
            path.unlink(missing_ok=True)
        rmtree(self.folder, ignore_errors=True)

    def clean(self) -> None:
        """Throw away what a killed process has begun to write; none may be writing."""
        remove_temporaries(self.folder)

    @property
    def count(self) -> int:
        """Number of parts."""
        return -(-len(self.items) // TOGETHER)

    def _path(self, number: int) -> Path:
        return self.folder / f"part-{number:06d}.safetensors"


def thinned(bank: FeatureBank, most: int, console: Console) -> FeatureBank:
    """The bank with at most so many rows, of each image the same share; what goes is told.

    Raises:
        InputError: It has no row.
    """
    count = len(bank)
    if count == 0:
        raise InputError("no image has a region; make others with regions.source, or other images")
    if count <= most:
        return bank
    place = torch.arange(count) * most // count
    warn(
        console,
        f"{count - most} of {count} rows are left out, evenly over all images, since "
        f"memory.max_rows={most}",
    )
    return bank.rows(torch.diff(place, prepend=torch.tensor([-1])) > 0)
