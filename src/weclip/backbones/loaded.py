"""The frozen backbones of a run, loaded.

Stage 2.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from weclip.backbones.clip.weights import Clip
from weclip.backbones.dino.weights import Dino


@dataclass(frozen=True)
class LoadedBackbones:
    """The frozen encoders that methods may need.

    Attributes:
        clip: The CLIP.
        dino: The second encoder; None where the method needs none.
    """

    clip: Clip
    dino: Dino | None = None

    def items(self) -> Iterator[tuple[str, Clip | Dino]]:
        """Each by its name in `Method.needs` and in model files."""
        yield "clip", self.clip
        if self.dino is not None:
            yield "dino", self.dino
