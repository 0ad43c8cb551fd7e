"""Labelling without tags (`label.any_class`): every class may be in every image."""

from collections.abc import Sequence
from dataclasses import replace

from rich.console import Console

from weclip import parts
from weclip.config import Config
from weclip.data.batch import TaggedImage
from weclip.data.dataset import Dataset
from weclip.data.images.listing import AUTO
from weclip.system.errors import InputError
from weclip.tasks.datasets import open_configured, tell

ALL_CLASSES = "the class list (label.any_class)"
"""Where the tags of an image are from."""


def require_any_class(config: Config) -> None:
    """InputError for what contradicts it: tags that would not be read, or maps that need some."""
    data, use = config.data, config.label
    given = {
        "data.tags_file": data.tags_file if data.tags_file == AUTO else None,
        "data.tags_control": data.tags_control,
        "data.untagged": data.untagged,
        "data.corrected": data.corrected,
        "label.model": use.model,
    }
    for key, value in given.items():
        if value is not None:
            raise InputError(
                f"label.any_class=true: no tags are read, so {key}={value} says nothing; leave one "
                "of them out"
            )
    if not getattr(config.KNOWN[parts.MAP_SOURCE.name, config.cam.source], "shares", False):
        raise InputError(
            f"label.any_class=true: cam.source={config.cam.source} shows where a tag is, not "
            "whether; add cam.source=text_probability or cam.source=region_attention"
        )


def open_untagged(config: Config, console: Console) -> Dataset:
    """Open the data set without its tags, and tell what it is taken to be; errors as there."""
    data = replace(config.data, tags_file=AUTO)
    dataset = replace(open_configured(replace(config, data=data)), tags_from=ALL_CLASSES)
    tell(dataset, console, data.train_split, data.eval_split)
    return dataset


def with_all_classes(images: Sequence[TaggedImage], count: int) -> list[TaggedImage]:
    """The images, each with all of `count` classes as its tags."""
    return [replace(image, tags=tuple(range(count))) for image in images]
