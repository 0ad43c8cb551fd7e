"""A split by a ratio, where no column and no folder says which images are kept back for scores.

Stage 1. The names of the images and a seed decide, so the split is the same in every run, on every
machine and in any order of the list. The images with the lowest hashes are kept back, so an image
that is added moves at most one other image to the other side.
"""

import hashlib
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class SplitRatio:
    """How many images are kept back, and which draw of them.

    Attributes:
        val: Share of the images in split `val`, above 0 and below 1.
        seed: Another one gives another split of the same size.
    """

    val: float
    seed: int = 0

    def val_names(self, names: Collection[str]) -> set[str]:
        """Choose the images of split `val`: the share rounded, at least one on either side.

        Args:
            names: Names of all images, each once; with one image, none is chosen.
        """
        count = min(max(round(self.val * len(names)), 1), len(names) - 1)
        return set(sorted(names, key=self._rank)[: max(count, 0)])

    def _rank(self, name: str) -> bytes:
        """A number that name and seed decide; accents count the same however they are stored."""
        text = f"{self.seed}:{unicodedata.normalize('NFC', name)}"
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
