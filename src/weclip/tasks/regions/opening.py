"""The region source of a configuration, with what it reads, ready before the long work."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console

from weclip import parts
from weclip.backbones.dino.image_encoder import DinoImageEncoder
from weclip.backbones.guide import Guide
from weclip.backbones.precision import FLOAT32, computing_in
from weclip.config import Config
from weclip.labels.regions.regions import GuideOf, Opens, Regions, RegionSource, described
from weclip.labels.resizing import planes
from weclip.system.console import QUIET
from weclip.system.distributed import default_device
from weclip.tasks.load.backbones import open_dino

Record = dict[str, Any]


@dataclass(frozen=True)
class OpenedSource:
    """What cuts images into regions.

    Attributes:
        source: The part.
        guide: What it reads of a second encoder; None where it reads none.
        record: What a record says of it.
    """

    source: RegionSource
    guide: GuideOf | None
    record: Record

    def __call__(self, image: NDArray[np.uint8]) -> Regions:
        """Regions of an image (H, W, 3) uint8, RGB."""
        return self.source(image, self.guide)


def open_source(
    config: Config, *, guide: GuideOf | None = None, console: Console = QUIET
) -> OpenedSource:
    """The source that a configuration chooses; weights are read, and packages imported, at once.

    Args:
        config: Resolved configuration; `regions` is read, and `dino` where the source reads a
            guide and none is given.
        guide: A second encoder that is open already, which a record of its own names.
        console: Where it is told what is fetched.

    Raises:
        InputError: Weights are missing or wrong.
    """
    name = config.regions.source
    source: RegionSource = config.part(parts.REGION_SOURCE, name)
    sha256 = source.open() if isinstance(source, Opens) else None
    record = described(name, source, sha256)
    if "guide" not in source.reads:
        return OpenedSource(source, None, record)
    if guide is None:
        dino = open_dino(config, console)
        guide = guide_by(dino.image.to(default_device()))
        record["guide"] = {"name": dino.name, "sha256": dino.sha256, "computes": dino.computes}
    return OpenedSource(source, guide, record)


def regions_of_model(config: Config) -> Record:
    """What scores of a model say of regions that it, or its tags, read; nothing without any."""
    fills = parts.fills(config.KNOWN[parts.METHOD.name, config.method.name])
    if not fills and "regions" not in config.reads() and config.tags_memory is None:
        return {}
    name = config.regions.source
    source: RegionSource = config.part(parts.REGION_SOURCE, name)
    return {"regions": name, "saw_human_masks": source.saw_human_masks}


def guide_by(encoder: DinoImageEncoder, precision: str = FLOAT32) -> GuideOf:
    """Patch features of whole images, by an encoder where it is, computed as in `computing_in`."""
    device = next(encoder.parameters()).device

    @torch.no_grad()
    def see(image: NDArray[np.uint8]) -> Guide:
        with computing_in(precision, device):
            seen: Guide = encoder(planes(image)[None].to(device).float())
        return seen

    return see
