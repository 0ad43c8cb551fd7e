"""Tags by CLIP (`data.tags_file=auto`): made once, kept as a tags file, the same in every process.

No true tag can get in: the images come from a data set opened with `auto`, which reads none.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from torch import Tensor

from weclip.backbones.clip.weights import Clip
from weclip.backbones.precision import chosen_precision, computing_in
from weclip.build.without_training import build_tag_clip, tag_threshold
from weclip.config import Config
from weclip.data.batch import TaggedImage
from weclip.data.classes import ClassList
from weclip.data.tags.tags_file import read_tags_file
from weclip.inference.given_image import as_rgb
from weclip.inference.prediction import batch_pixels
from weclip.inference.stream.batches import in_batches
from weclip.inference.stream.beside import read_ahead
from weclip.labels.auto_tags import relative_choice, split_thresholds
from weclip.system.distributed import default_device, everyones, from_first, own_part
from weclip.system.errors import InputError
from weclip.tasks.datasets import tell_precision
from weclip.tasks.tag.memory import TagsMemory
from weclip.training.runlog import progress_bar

Read = tuple[TaggedImage, NDArray[np.uint8]]
"""An image and its pixels; without any where it cannot be read."""

AUTO_TAGS = "auto_tags.csv"
"""Name of the tags file in the output folder of a command."""


@dataclass(frozen=True)
class AutoTags:
    """Tags by CLIP of some images.

    Attributes:
        images: The images with their tags.
        scores: (M, C-1) float32 scores of all classes; NaN of images that cannot be read.
        thresholds: (C-1,) of the classes; None where each image has its own.
    """

    images: list[TaggedImage]
    scores: Tensor
    thresholds: Tensor | None


def make_tags(
    config: Config,
    classes: ClassList,
    images: Sequence[TaggedImage],
    clip: Clip,
    console: Console,
    *,
    memory: TagsMemory | None = None,
    skip_unreadable: bool = False,
) -> AutoTags:
    """Score all images, each process a part of them, and tag them by these scores.

    Args:
        config: Resolved configuration; `clip` and `tags` are read.
        classes: Class list.
        images: At least one; their tags are not looked at.
        clip: The frozen CLIP.
        console: Where progress is shown.
        memory: That of `open_tags_memory`.
        skip_unreadable: Whether an image that cannot be read has no tags, instead of an error.
    """
    how: dict[str, Any] = {"memory": memory, "skip_unreadable": skip_unreadable}
    scores = _score(config, classes, images, clip, console, **how)
    readable = ~scores.isnan().any(dim=1)
    if not readable.any():
        raise InputError(f"{config.data.root}: not one of {len(images)} images can be read")
    thresholds = None
    if tag_threshold(config) == "split":
        thresholds = split_thresholds(scores[readable], config.tags.floor)
        chosen = scores > thresholds
    else:
        chosen = relative_choice(scores, config.tags.relative_share)
    tagged = [
        replace(image, tags=tuple(row.nonzero()[:, 0].tolist()))
        for image, row in zip(images, chosen & readable[:, None], strict=True)
    ]
    count = sum(not image.tags for image in tagged)
    if count:
        console.print(f"CLIP found no class in {count} of {len(tagged)} images: they have no tags")
    return AutoTags(tagged, scores, thresholds)


def with_tags_precision(config: Config) -> Config:
    """A copy whose `tags.precision` is what it means here; errors as in `chosen_precision`."""
    chosen = chosen_precision(config.tags.precision, "tags.precision", default_device())
    return replace(config, tags=replace(config.tags, precision=chosen))


def table(tags: AutoTags, classes: ClassList, splits: Mapping[str, str] | None = None) -> str:
    """A tags file as `data.tags` reads it, with the scores of the tags in a further column.

    Args:
        tags: Tags of all images.
        classes: Class list.
        splits: Image name -> split, for a column of that name.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", "tags", "scores", *(["split"] if splits else [])])
    for image, row in zip(tags.images, tags.scores, strict=True):
        names = ";".join(classes.names[tag] for tag in image.tags)
        scores = ";".join(f"{float(row[tag]):.4f}" for tag in image.tags)
        split = [splits[image.name]] if splits else []
        writer.writerow([f"{image.name}{image.path.suffix}", names, scores, *split])
    return text.getvalue()


def tagged_once(
    config: Config,
    classes: ClassList,
    images: Sequence[TaggedImage],
    clip: Clip,
    console: Console,
    *,
    stored: Path | None,
    memory: TagsMemory | None,
    skip_unreadable: bool = False,
) -> tuple[list[TaggedImage], str]:
    """The images with the tags of an interrupted run, or else with new ones.

    Args:
        config: As in `make_tags`, and so the others.
        stored: The tags file that was written before, if it was; None not to look for it.

    Returns:
        The images, and the tags file's content, to be written by the first process.

    Raises:
        InputError: The stored file does not have the images; or one cannot be read.
    """
    text = from_first(lambda: _content(stored))
    if text is None or stored is None:
        how: dict[str, Any] = {"memory": memory, "skip_unreadable": skip_unreadable}
        made = make_tags(config, classes, images, clip, console, **how)
        return made.images, table(made, classes)
    rows = {row.image: row.tags for row in read_tags_file(stored, classes).rows}
    files = {image.name: f"{image.name}{image.path.suffix}" for image in images}
    missing = [file for file in files.values() if file not in rows]
    if missing or len(rows) != len(images):
        what = f"no tags of {missing[0]}" if missing else f"{len(rows)} images, now {len(images)}"
        raise InputError(
            f"{stored}: {what}; the data have changed since CLIP tagged them: start anew in "
            "another --out, or delete the file to make all tags again"
        )
    return [replace(image, tags=rows[files[image.name]]) for image in images], text


def _content(path: Path | None) -> str | None:
    if path is None or not path.is_file():
        return None
    return path.read_text(encoding="utf-8")


def _score(
    config: Config,
    classes: ClassList,
    images: Sequence[TaggedImage],
    clip: Clip,
    console: Console,
    *,
    memory: TagsMemory | None,
    skip_unreadable: bool,
) -> Tensor:
    """(M, C-1) float32 scores of all images, in each process."""
    method = build_tag_clip(config, clip, classes)
    if memory is not None:
        memory.lend(method)
    method = method.to(default_device())
    precision = with_tags_precision(config).tags.precision
    tell_precision(precision, method.device.type, console)
    nothing = torch.full((len(classes.names),), float("nan"))

    def read(image: TaggedImage) -> NDArray[np.uint8]:
        try:
            return as_rgb(image.path, reading=config.data.reading)
        except InputError:
            if not skip_unreadable:
                raise
            return np.zeros((0, 0, 3), np.uint8)

    def scores_of(batch: Sequence[Read]) -> list[Tensor]:
        pixels = [each for _, each in batch]
        if not pixels[0].size:
            return [nothing]
        regions = None if memory is None else memory.regions_of(batch)
        with computing_in(precision, method.device):
            return method.together(pixels, regions)

    def size_of(item: Read) -> tuple[int, int] | None:
        height, width, _ = item[1].shape
        return method.seen_size((height, width)) if height else None

    own = own_part(images)
    found: dict[str, list[float]] = {}
    with progress_bar(console) as progress:
        task = progress.add_task("tagging", total=len(own), status="")
        pixels = batch_pixels(on_cpu=method.device.type == "cpu")
        scored = in_batches(read_ahead(own, read), scores_of, size_of=size_of, pixels=pixels)
        for (image, _), scores in scored:
            found[image.name] = scores.tolist()
            progress.advance(task)
    everything = {name: row for part in everyones(found) for name, row in part.items()}
    return torch.tensor([everything[image.name] for image in images])
