"""The backbones of a run, loaded.

Stage 2.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from weclip.backbones.clip.weights import Clip
from weclip.backbones.dino.weights import Dino
from weclip.backbones.mit.weights import Mit
from weclip.backbones.named import FrozenBackbone
from weclip.system.errors import InputError


@dataclass(frozen=True)
class LoadedBackbones:
    """The encoders that methods may need.

    Attributes:
        frozen_clip: The CLIP; None where the method needs none.
        dino: The second encoder; None where the method needs none.
        mit: What is trained from its weights; None where the method has none.
        regions: The weights that cut images into regions; None where nothing with weights does.
    """

    frozen_clip: Clip | None = None
    dino: Dino | None = None
    mit: Mit | None = None
    regions: FrozenBackbone | None = None

    @property
    def clip(self) -> Clip:
        """The CLIP.

        Raises:
            InputError: The method needs none.
        """
        if self.frozen_clip is None:
            raise InputError("the method of this configuration reads no CLIP")
        return self.frozen_clip

    def items(self) -> Iterator[tuple[str, Clip | Dino]]:
        """Each frozen encoder by its name in `Method.needs` and in model files."""
        if self.frozen_clip is not None:
            yield "clip", self.frozen_clip
        if self.dino is not None:
            yield "dino", self.dino
