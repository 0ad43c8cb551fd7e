"""What a second frozen encoder sees: patch features on its own grid.

Stage 2.
"""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Guide:
    """Patch features of a second frozen encoder.

    Attributes:
        features: (B, h'*w', D') rows, without class token.
        patch_grid: (h', w').
    """

    features: Tensor
    patch_grid: tuple[int, int]
