"""Regions of the images that a trained model looks at: of files named anew, or by its source."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from weclip import parts
from weclip.backbones.named import FrozenBackbone
from weclip.config import Config
from weclip.config_file import flatten
from weclip.inference.scores.evaluate import RegionsOf
from weclip.labels.regions.regions import described
from weclip.system.errors import InputError
from weclip.tasks.load.cutter import REGIONS, cuts_images
from weclip.tasks.regions.reading import NamedImage, RegionReader, open_regions
from weclip.training.model_file import ModelFile

NOT_GIVEN = ""
"""`regions.files` of a model that was trained with some, where none are given for other images."""


OF_TRAINING = "said in run.json of the training"
"""What scores say of regions in files that only the training of a model read."""


@dataclass(frozen=True)
class ImageFile:
    """An image by its name, as a `NamedImage`."""

    name: str
    path: Path


@dataclass(frozen=True)
class ModelRegions:
    """The regions that a model names.

    Attributes:
        record: What records say of them.
        reader: Reads them from files; None: the model's source makes them.
        note: What is told, as they are made otherwise than in its training; empty: nothing.
    """

    record: Mapping[str, Any]
    reader: RegionReader | None = None
    note: str = ""


def without_files(config: Config) -> Config:
    """A model's configuration for other images than those of its training."""
    if config.regions.files is None:
        return config
    return replace(config, regions=replace(config.regions, files=NOT_GIVEN))


def open_model_regions(
    config: Config, file: ModelFile, *, labels: bool = False
) -> ModelRegions | None:
    """The regions that a model reads, of the images that it is asked about; None: it reads none.

    Args:
        config: Its configuration, with changes.
        file: Its file.
        labels: Whether labels are made of tags, for which more methods read regions.

    Raises:
        InputError: It was trained with regions in files, and nothing is said of these images; or
            as `open_regions`.
    """
    if not (cuts_images(config) or (labels and "regions" in config.reads())):
        return None
    require_given(config)
    if config.regions.files is not None:
        reader = open_regions(config)
        return ModelRegions(reader.record, reader)
    name, record = config.regions.source, record_of_source(config, file.backbones.get(REGIONS))
    before = flatten(file.config).get("regions.files")
    note = f"regions: by {name} here, while the training read files" if before else ""
    return ModelRegions(record, note=note)


def record_of_source(config: Config, weights: FrozenBackbone | None) -> dict[str, Any]:
    """What records say of the chosen source, whose weights are these; None: it has none."""
    name = config.regions.source
    sha256 = weights.sha256 if weights is not None and weights.name == name else None
    return described(name, config.part(parts.REGION_SOURCE, name), sha256)


def require_given(config: Config, key: str = "") -> None:
    """InputError if regions in files are needed, and no folder is named; `key` begins the line."""
    if config.regions.files == NOT_GIVEN:
        raise InputError(
            f"{key}the model was trained with regions in files, which are of its own images; add "
            "regions.files=FOLDER of these images' (weclip regions makes one), or "
            "regions.files=null regions.source=NAME to cut them otherwise"
        )


def regions_in(config: Config, regions: ModelRegions | None) -> dict[str, Any]:
    """What scores of a model say of the regions that it, its labels or tags, read; or nothing."""
    if regions is not None:
        record = regions.record
        return {"regions": record["source"], "saw_human_masks": record["saw_human_masks"]}
    if "regions" not in config.reads() and config.tags_memory is None:
        return {}
    if config.regions.files is not None:
        return {"regions": "files", "saw_human_masks": OF_TRAINING}
    source = config.part(parts.REGION_SOURCE, config.regions.source)
    return {"regions": config.regions.source, "saw_human_masks": source.saw_human_masks}


def by_name(reader: RegionReader | None, images: Sequence[NamedImage]) -> RegionsOf | None:
    """What gives regions by an image's name, once all of these have some; None without a reader.

    Raises:
        InputError: An image has none.
    """
    if reader is None:
        return None
    reader.require(images)
    named = {image.name: image for image in images}
    return lambda name, pixels: reader(named[name], pixels)
