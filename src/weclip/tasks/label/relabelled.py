"""Scores of images by retrieval: masks that a bank was filled from, cleaned by the other images.

`label.model=RUN` of such a run. Rows of an image itself are left out: each would find itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from weclip.backbones.precision import computing_in
from weclip.data.windows import whole
from weclip.inference.label_masks import HeldPixels, Named, Scores, soft_shares
from weclip.labels.banks.bank_file import read_bank
from weclip.labels.banks.feature_bank import FeatureBank, digest_of
from weclip.labels.banks.search import nearest, of_classes
from weclip.labels.resizing import resized
from weclip.methods.retrieval import Retrieval
from weclip.system.errors import InputError
from weclip.tasks.banks.parts import MOST_ROWS
from weclip.tasks.banks.seen import BANK_NAME, seen_pixels
from weclip.tasks.load.model import LoadedModel
from weclip.tasks.regions.reading import RegionReader


@dataclass(frozen=True)
class Relabelled:
    """A `Scorer` by retrieval; only rows of an image's tags, and of background, have a vote.

    Attributes:
        method: The method, with its bank.
        bank: The same rows, with the images that they are of.
        long_side: As the bank's images were seen.
        soft: Whether soft maps are asked for.
        precision: As in `computing_in`.
        regions: Reads those of an image from files; None: the method's source makes them.
    """

    method: Retrieval
    bank: FeatureBank
    long_side: int | None
    soft: bool
    precision: str
    regions: RegionReader | None = None

    batch_pixels = 1
    shares = True

    def size_of(self, named: Named) -> tuple[int, int] | None:
        """None: images go one by one."""
        return None

    def __call__(self, batch: Sequence[Named]) -> list[Scores]:
        """Scores of images."""
        return [self._of_one(named) for named in batch]

    def _of_one(self, named: Named) -> Scores:
        image, pixels = named
        allowed = [0, *(tag + 1 for tag in image.tags)]
        there = of_classes(self.bank.values, allowed) & ~self.bank.rows_of(digest_of(pixels))
        find = partial(self._find, there=there)
        seen = seen_pixels(pixels, self.long_side)
        cut = None if self.regions is None else self.regions(image, pixels)
        with computing_in(self.precision, self.method.device):
            found = self.method.probabilities(seen, regions=cut, find=find)[allowed]
        size = (pixels.shape[0], pixels.shape[1])
        values = resized(found, size, whole(size)).cpu().numpy()  # (1+K, H, W)
        levels = soft_shares(values[1:]) if self.soft else None
        return Scores(HeldPixels(values, np.array(allowed, np.uint8)), levels)

    def _find(self, queries: Tensor, *, there: Tensor) -> tuple[Tensor, Tensor]:
        rows, cosines = nearest(self.bank.keys, queries.cpu(), self.method.neighbours, ~there)
        device = queries.device
        return self.bank.values[rows].long().to(device), cosines.to(device)


def open_relabelled(
    model: LoadedModel, regions: RegionReader | None, *, soft: bool, precision: str
) -> Relabelled:
    """The scorer of a run of retrieval.

    Raises:
        InputError: The run's bank is not beside its model, or is another.
    """
    assert isinstance(model.method, Retrieval)
    path = model.path.parent / BANK_NAME
    if not path.is_file():
        raise InputError(
            f"label.model={model.path}: no {BANK_NAME} beside it, which says of what image a row "
            "is; give the run folder of weclip train"
        )
    bank = read_bank(path, most_rows=MOST_ROWS, key="")
    if not torch.equal(bank.values.half(), model.method.bank.classes.cpu()):
        raise InputError(f"{path}: not the bank of {model.path}; give the run that both are of")
    side = model.config.eval.side
    return Relabelled(model.method, bank, side, soft, precision, regions)
