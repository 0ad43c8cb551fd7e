"""The patch embeddings that a map source compares with texts, and a memory keeps.

Stage 3. A map source with a method `embedded` has its own, such as that of region attention.
"""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from weclip.labels.view import View

BLOCKS = 5
"""Self-self blocks of the embedding of other sources; ExCEL, released code."""


@dataclass(frozen=True)
class Embedded:
    """Patches in the joint space of images and texts.

    Attributes:
        rows: (B, N, J).
        patch_grid: (h, w), with h * w = N.
    """

    rows: Tensor
    patch_grid: tuple[int, int]


def patches_of(source: Any, view: View) -> Embedded:
    """The embedding of a map source; that of `BLOCKS` self-self blocks where it has none."""
    if hasattr(source, "embedded"):
        made: Embedded = source.embedded(view)
        return made
    return Embedded(view.patch_embedding(BLOCKS), view.patch_grid)


def embedding_of(source: Any) -> str:
    """What that is, in words that are compared."""
    if hasattr(source, "embedded"):
        return str(source.embedding_name)
    return of_blocks(BLOCKS)


def of_blocks(count: int) -> str:
    """The same of an embedding by self-self attention."""
    return f"patch embedding of {count} self-self blocks"


def remembered(source: Any, view: View) -> Embedded:
    """The embedding of a map source, mixed with what the memory of a view says of its regions."""
    made = patches_of(source, view)
    return Embedded(view.remember(made.rows, made.patch_grid), made.patch_grid)
