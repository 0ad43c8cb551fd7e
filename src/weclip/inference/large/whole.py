"""How much memory a network takes of an image that it sees as a whole.

Stage 6.
"""

from torch import nn

from weclip.inference.large.tiles import FLOAT

HELD_AT_ONCE = 0.75
"""Share of what all linear layers give of a patch that is in memory at once, at the most: 0.65 of
the demo's model was measured, and 0.31 of ViT-B/16 (docs/benchmarks.md)."""

COPIES = 4
"""Of the pixels of a patch: as they are given, in another size, normalised, and cut."""


def bytes_of_patch(model: object, patch: int) -> float:
    """Memory that a patch takes in a network that forms no attention of pairs; not less."""
    modules = model.modules() if isinstance(model, nn.Module) else ()
    given = sum(each.out_features for each in modules if isinstance(each, nn.Linear))
    return FLOAT * (HELD_AT_ONCE * given + COPIES * 3 * patch**2)
