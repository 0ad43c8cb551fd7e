"""A bank of region features: keys that are searched, values that are found, images they are of.

Stage 3. It knows what made it, since features of other encoders do not compare.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from weclip.backbones.named import FrozenBackbone
from weclip.labels.banks.search import nearest

DIGEST_BYTES = 16


def digest_of(image: NDArray[np.uint8]) -> bytes:
    """What an image (H, W, 3) is known by, whatever its file is called: a digest of its pixels."""
    shape = np.array(image.shape, np.int64).tobytes()
    pixels = np.ascontiguousarray(image).data
    return blake2b(pixels, digest_size=DIGEST_BYTES, key=shape).digest()


@dataclass(frozen=True)
class FeatureBank:
    """R regions of I images.

    Attributes:
        keys: (R, J) unit rows.
        values: (R,) uint8 class ids, or (R, J_v) features.
        image: (R,) int32, which image a row is of.
        names: (I,) names of the images.
        digests: (I,) of `digest_of`.
        encoders: What made it, by name, such as `dino`.
        made: How keys and values were made, in words that are compared.
        regions: What a record says of the regions, such as `saw_human_masks`; empty: of masks.
    """

    keys: Tensor
    values: Tensor
    image: Tensor
    names: Sequence[str]
    digests: Sequence[bytes]
    encoders: Mapping[str, FrozenBackbone]
    made: str
    regions: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.keys)

    @cached_property
    def _numbers(self) -> dict[bytes, list[int]]:
        """Digest -> numbers of the images that have it."""
        found: dict[bytes, list[int]] = {}
        for number, digest in enumerate(self.digests):
            found.setdefault(digest, []).append(number)
        return found

    def rows_of(self, digest: bytes) -> Tensor:
        """(R,) bool, the rows of the image with a digest."""
        own = torch.tensor(self._numbers.get(digest, []), dtype=self.image.dtype)
        return torch.isin(self.image, own.to(self.image.device))

    def nearest(
        self, queries: Tensor, count: int, *, but: bytes | None = None
    ) -> tuple[Tensor, Tensor]:
        """As `search.nearest`.

        Args:
            queries: (P, J) unit rows.
            count: How many rows are wanted.
            but: The digest of an image whose own rows are left out; None: none are.
        """
        left_out = None if but is None else self.rows_of(but)
        return nearest(self.keys, queries, count, left_out)

    def rows(self, wanted: Tensor) -> "FeatureBank":
        """The same with these rows (S,) bool alone; images without a row stay in the table."""
        return self._of(lambda each: each[wanted])

    def to(self, device: str) -> "FeatureBank":
        """The same on a device."""
        return self._of(lambda each: each.to(device))

    def _of(self, change: Callable[[Tensor], Tensor]) -> "FeatureBank":
        return replace(
            self, keys=change(self.keys), values=change(self.values), image=change(self.image)
        )


def joined(banks: Sequence[FeatureBank]) -> FeatureBank:
    """One bank of the rows and images of several, in their order, which were made alike."""
    first = banks[0]
    counts = np.cumsum([0, *(len(bank.names) for bank in banks)])
    image = [bank.image + int(start) for bank, start in zip(banks, counts, strict=False)]
    return FeatureBank(
        torch.cat([bank.keys for bank in banks]),
        torch.cat([bank.values for bank in banks]),
        torch.cat(image),
        [name for bank in banks for name in bank.names],
        [digest for bank in banks for digest in bank.digests],
        first.encoders,
        first.made,
        first.regions,
    )
