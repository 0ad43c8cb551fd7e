"""The patch embeddings that parts compare with texts, and a memory keeps.

Stage 3. A map source with a method `embedded` has its own, such as that of region attention; other
parts may read it (`cam.embedding`). A part that reads none has that of its own self-self blocks.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from torch import Tensor

from weclip.system.errors import InputError

if TYPE_CHECKING:  # a view holds an embedder
    from weclip.labels.view import View

BLOCKS = 5
"""Self-self blocks of a memory that no part reads; ExCEL, released code."""


@dataclass(frozen=True)
class Embedded:
    """Patches in the joint space of images and texts.

    Attributes:
        rows: (B, N, J).
        patch_grid: (h, w), with h * w = N.
    """

    rows: Tensor
    patch_grid: tuple[int, int]


class Embedder(Protocol):
    """A map source that has an embedding."""

    @property
    def embedding_name(self) -> str:
        """What it is, in words that are compared."""

    def embedded(self, view: "View") -> Embedded:
        """Patches of a view, unit rows."""


def patches_of(source: Any, affinity: Any, view: "View") -> Embedded:
    """The embedding that a map source and an affinity read, named by `embedding_of`."""
    for part in (source, affinity):
        if reads_embedding(part):
            return view.embedding(part.self_self_blocks)
        if hasattr(part, "embedded"):
            made: Embedded = part.embedded(view)
            return made
    return Embedded(view.patch_embedding(BLOCKS), view.patch_grid)


def embedding_of(source: Any, affinity: Any, embedder: Embedder | None) -> str:
    """What that is, in words that are compared; of `BLOCKS` where they read none.

    Args:
        source: The map source.
        affinity: The affinity.
        embedder: As `View.embedder`.

    Raises:
        InputError: They read two, and a memory is of one.
    """
    names = list(dict.fromkeys(_names(source, affinity, embedder)))
    if len(names) > 1:
        raise InputError(
            f"a memory is of one embedding, and cam.source reads '{names[0]}', but affinity.source "
            f"'{names[1]}'; add affinity.source=none, or give both the same with cam.embedding"
        )
    return names[0] if names else of_blocks(BLOCKS)


def _names(source: Any, affinity: Any, embedder: Embedder | None) -> Iterator[str]:
    for part in (source, affinity):
        if reads_embedding(part):
            yield embedder.embedding_name if embedder else of_blocks(part.self_self_blocks)
        elif hasattr(part, "embedded"):
            yield part.embedding_name


def reads_embedding(part: Any) -> bool:
    """Whether a part reads the embedding of `cam.embedding`, in place of one of its own."""
    return "embedding" in part.reads


def of_blocks(count: int) -> str:
    """The name of an embedding by self-self attention."""
    return f"patch embedding of {count} self-self blocks"
