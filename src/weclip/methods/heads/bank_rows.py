"""The rows of a bank as what a model file holds: features and class ids, and no names of images.

Stage 4.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from weclip.labels.banks.search import nearest, of_classes


class BankRows(nn.Module):
    """Features of regions and their classes, read from a state dict of any number of rows.

    Args:
        width: J.
        num_classes: C, with background.
    """

    def __init__(self, width: int, num_classes: int) -> None:
        super().__init__()
        self.width, self.num_classes = width, num_classes
        self.register_buffer("keys", torch.empty(0, width, dtype=torch.float16))
        self.register_buffer("classes", torch.empty(0, dtype=torch.float16))

    keys: Tensor
    classes: Tensor

    def fill(self, keys: Tensor, classes: Tensor) -> None:
        """Take rows: (R, J) unit, and (R,) class ids; half precision holds each id exactly."""
        self.keys = keys.to(self.keys.device, torch.float16)
        self.classes = classes.to(self.classes.device, torch.float16)

    def find(
        self, queries: Tensor, count: int, allowed: Sequence[int] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Class ids (P, k) of the nearest rows, nearest first, and their cosines (P, k).

        Args:
            queries: (P, J) unit rows.
            count: k, or fewer where there are fewer rows.
            allowed: Class ids of rows that count; None: all do.
        """
        out = None if allowed is None else ~of_classes(self.classes, allowed)
        rows, cosines = nearest(self.keys, queries, count, out)
        return self.classes[rows].long(), cosines

    def _load_from_state_dict(self, state: Mapping[str, Any], prefix: str, *more: Any) -> None:
        """As of `Module`, whatever the number of rows; what cannot be rows does not load."""
        keys, classes = state.get(f"{prefix}keys"), state.get(f"{prefix}classes")
        if isinstance(keys, Tensor) and isinstance(classes, Tensor):
            if wrong := self._wrong(keys, classes):
                more[-1].append(wrong)
                return
            self.fill(torch.empty(keys.shape), torch.empty(classes.shape))
        super()._load_from_state_dict(state, prefix, *more)

    def _wrong(self, keys: Tensor, classes: Tensor) -> str:
        """What is wrong with rows; empty if nothing is."""
        if keys.dim() != 2 or keys.shape[1] != self.width or classes.shape != keys.shape[:1]:
            return f"a bank of {tuple(keys.shape)} features, and {self.width} numbers are wanted"
        ids = classes.float()
        if not bool(((ids >= 0) & (ids < self.num_classes) & (ids == ids.round())).all()):
            return f"a bank with other class ids than 0 to {self.num_classes - 1}"
        return ""
