"""The memory that helps tags by CLIP (`tags.memory`), and what it reads beside CLIP.

A region of an image takes from what alike regions of other images look like (CorrCLIPv2); TagCLIP
itself has no memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from weclip.backbones.clip.weights import Clip
from weclip.backbones.dino.weights import Dino
from weclip.backbones.loaded import LoadedBackbones
from weclip.backbones.named import FrozenBackbone
from weclip.build.without_training import tags_blocks
from weclip.config import Config
from weclip.data.batch import TaggedImage
from weclip.labels.banks.embedded import of_blocks
from weclip.labels.banks.memory import Memory
from weclip.methods.tag_clip import TagClip
from weclip.system.distributed import default_device
from weclip.system.errors import InputError
from weclip.system.files import at_home, sha256_of
from weclip.tasks.banks.memory import made_of, open_memory
from weclip.tasks.load.backbones import frozen_backbones, open_dino
from weclip.tasks.regions.opening import guide_by
from weclip.tasks.regions.reading import RegionReader, open_regions

KEY = "tags.memory"


@dataclass(frozen=True)
class TagsMemory:
    """A memory, and what tells which of its rows an image takes.

    Attributes:
        memory: The bank.
        sha256: Of its file.
        guide: The second encoder.
        encoders: Both encoders, as the bank names them.
        regions: Gives the regions of an image.
    """

    memory: Memory
    sha256: str
    guide: Dino
    encoders: dict[str, FrozenBackbone]
    regions: RegionReader

    def lend(self, method: TagClip) -> None:
        """Let a method remember."""
        method.maps.memory, method.maps.guide = self.memory, self.guide.image

    def regions_of(
        self, batch: Sequence[tuple[TaggedImage, NDArray[np.uint8]]]
    ) -> list[NDArray[np.int32]]:
        """Region numbers (H, W) of images with their pixels; errors as in `RegionReader`."""
        return [self.regions(*each).id_map for each in batch]

    @property
    def record(self) -> dict[str, Any]:
        """What a record of tags says of it."""
        return {
            "files": {KEY: self.sha256},
            "dino": self.encoders["dino"]._asdict(),
            "regions": self.regions.record,
            "memories": {KEY: dict(self.memory.bank.regions)},
        }


def require_tags_memory(config: Config) -> None:
    """InputError for a memory of tags where CLIP makes none."""
    if config.tags.memory is not None and config.tags_memory is None:
        raise InputError(
            f"{KEY}={config.tags.memory}: CLIP makes no tags here; add data.tags_file=auto, or "
            "leave it out"
        )


def open_tags_memory(
    config: Config, clip: Clip, console: Console, guide: Dino | None = None
) -> TagsMemory | None:
    """The memory of `tags.memory`; None where CLIP makes no tags, or none is named.

    Args:
        config: Resolved configuration; `dino`, `memory`, `regions` and `tags` are read.
        clip: The CLIP that makes tags.
        console: Where it is told what is fetched.
        guide: The second encoder, if it is open already.

    Raises:
        InputError: Tags are made of another embedding than a memory keeps; or as `open_memory`,
            `open_dino` and `open_regions`.
    """
    path = config.tags_memory
    if path is None:
        return None
    blocks = tags_blocks(config)
    if blocks == 0:
        raise InputError(
            f"{KEY}={path}: tags are made of the last block's values here (tags.released=true or "
            "tags.self_attention_blocks=0), which no memory keeps; add "
            "tags.self_attention_blocks=5, or leave the memory out"
        )
    dino = open_dino(config, console) if guide is None else guide
    backbones = LoadedBackbones(clip, dino)
    made = made_of(of_blocks(blocks))
    memory = open_memory(config, path, backbones, key=KEY, made=made)
    see = guide_by(dino.image.to(default_device()))
    regions = open_regions(config, guide=see, console=console)
    encoders = frozen_backbones(backbones)
    return TagsMemory(memory, sha256_of(at_home(path)), dino, encoders, regions)
