"""What the processes of one run must have the same of, compared before they share the work.

Machines may keep things in different places: places are not compared, but what lies there is.
Between processes that differ, images would be done twice or not at all, and gradients of different
problems be added up, and nothing would tell.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from weclip.config import Config
from weclip.config_file import flatten, to_yaml
from weclip.data.batch import MaskedImage, TaggedImage
from weclip.system.distributed import connect, require_equal
from weclip.system.provenance import packages

PLACES = (
    "data.root data.classes data.tags_file data.corrected data.decoded_cache data.workers "
    "clip.weights clip.sha256 clip.descriptions dino.weights dino.sha256 "
    "mit.weights mit.sha256 label.model label.memory tags.memory regions.files "
    "regions.sam2.weights"
).split()
"""Keys that machines of one run may differ in; what lies there is compared by its digest."""

Seen = tuple[str, tuple[int, ...] | None, tuple[Path, ...]]
"""Name of an image, its tags, and the files that are read of it."""


def agree_on_settings(config: Config, **options: object) -> None:
    """InputError, in every process, unless all have the same configuration, options and packages.

    Args:
        config: Resolved configuration.
        options: Of the command, by name.
    """
    if connect().num_processes == 1:
        return
    values = {k: v for k, v in flatten(to_yaml(config)).items() if k not in PLACES}
    named = {f"--{name.replace('_', '-')}": value for name, value in options.items()}
    require_equal("configuration", values | named)
    require_equal("version of a package", packages())


def agree_on_inputs(seen: Iterable[Seen], **digests: object) -> None:
    """InputError, in every process, unless all read the same.

    Args:
        seen: What is read image by image, in its order. Names, tags and the sizes of files count,
            not where they lie.
        digests: Of what else is read, by what it is.
    """
    if connect().num_processes == 1:
        return
    listed = list(seen)
    names = [(name, tags) for name, tags, _ in listed]
    sizes = [[_size(file) for file in files] for *_, files in listed]
    named = {what.replace("_", " "): value for what, value in digests.items()}
    counted = {"images": len(listed), "images and tags": _digest(names), "sizes": _digest(sizes)}
    require_equal("input", named | counted)


def seen_in(images: Iterable[TaggedImage | MaskedImage]) -> Iterator[Seen]:
    """Name, tags and files of images."""
    for each in images:
        files = (each.path, each.mask) if isinstance(each, MaskedImage) else (each.path,)
        yield each.name, each.tags, files


def _size(file: Path) -> int | None:
    """Bytes of a file; None where there is none, which whoever reads it says better."""
    try:
        return file.stat().st_size
    except OSError:
        return None


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]
