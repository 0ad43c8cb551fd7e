"""What a training run reads: lists, tags, weights, and the stream of batches."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from weclip.backbones.loaded import LoadedBackbones
from weclip.config import Config, whole
from weclip.data.batch import MaskedImage, TaggedImage
from weclip.data.classes import SHIPPED, ClassList
from weclip.data.images.crops import Augmentation
from weclip.data.images.decoded_cache import DecodedCache
from weclip.data.images.decoding import read_image
from weclip.data.images.listing import AUTO
from weclip.data.images.reading import Reading
from weclip.data.loader import CropDataset, ReadImage, TrainLoader, train_loader
from weclip.system.console import warn
from weclip.system.errors import InputError
from weclip.system.files import sha256_of
from weclip.tasks.corrections.applied import Applied, apply_corrections
from weclip.tasks.datasets import open_configured
from weclip.tasks.load.backbones import (
    clip_path,
    dino_path,
    needs,
    open_backbones,
    open_clip,
    reads_dino,
    require_files,
)
from weclip.tasks.load.cutter import cuts_images
from weclip.tasks.load.start import mit_path, starts_from_mit
from weclip.tasks.regions.reading import NamedImage, RegionReader, open_regions
from weclip.tasks.tag.auto_tags import tagged_once
from weclip.tasks.tag.memory import TagsMemory, open_tags_memory, require_tags_memory


@dataclass(frozen=True)
class Inputs:
    """What a run reads, checked before anything is written.

    Attributes:
        classes: Class list.
        images: Training images with tags.
        masked: Images to score on; empty where there are none.
        backbones: The encoders.
        read: Reads a training image.
        auto_tags: The tags file that CLIP made, to be kept with the run; None if it made none.
        descriptions: SHA-256 of the descriptions that enrich the classes; None without.
        tags_memory: The memory that helped to make tags; None without.
        corrected: What a person corrected; None without.
        regions: Reads the regions of images from files; None: they are made, or nothing reads any.
    """

    classes: ClassList
    images: list[TaggedImage]
    masked: list[MaskedImage]
    backbones: LoadedBackbones
    read: ReadImage
    auto_tags: str | None
    descriptions: str | None
    tags_memory: TagsMemory | None = None
    corrected: Applied | None = None
    regions: RegionReader | None = None


def read_inputs(config: Config, console: Console, stored: Path | None = None) -> Inputs:
    """Read lists, tags and weights; scores are given up, aloud, where masks are missing.

    Args:
        config: Resolved configuration.
        console: Where is told what the user should know.
        stored: Where an interrupted run keeps the tags that CLIP made, if it has any.
    """
    data = config.data
    require_read(config)
    require_files(config)
    dataset = open_configured(config, console)
    classes = dataset.classes
    images = dataset.read_split(data.train_split)
    if not images:
        raise InputError(f"{data.root}: no image in split '{data.train_split}'; add some")
    masked, reason = dataset.read_eval_split(data.eval_split)
    if reason is not None:
        warn(console, f"no scores during training: {reason}")
    corrected = apply_corrections(config, classes, images, console)
    classes = classes if corrected is None else corrected.classes
    backbones, text, memory = open_backbones(config, console), None, None
    if data.tags_file == AUTO:
        clip = backbones.frozen_clip or open_clip(config, console)
        memory = open_tags_memory(config, clip, console, backbones.dino)
        given = (config, classes, images, clip, console)
        images, text = tagged_once(*given, stored=stored, memory=memory, skip_unreadable=True)
    images = images if corrected is None else corrected.correct(images, console)
    warn_of_untrained(images, classes, console)
    described = config.clip.descriptions and sha256_of(config.clip.descriptions)
    read: ReadImage = partial(read_image, reading=data.reading)
    if data.decoded_cache is not None:
        read = open_cache(data.decoded_cache, images, data.reading, console)
    regions = read_regions(config, images, masked)
    return Inputs(
        classes, images, masked, backbones, read, text, described, memory, corrected, regions
    )


OF_LABELS = ("label.windows", "label.any_class", "label.memory", "regions.vote")
"""Keys of how `weclip label` makes masks that would change what is learnt, and do not."""


def require_read(config: Config) -> None:
    """InputError for keys that a training does not read, where their default is not kept."""
    require_tags_memory(config)
    if cuts_images(config):  # whose masks weclip label makes
        return
    for key in OF_LABELS:
        section, name = key.split(".")
        value = getattr(getattr(config, section), name)
        if value not in (None, False):
            shown = "true" if value is True else value
            raise InputError(
                f"{key}={shown}: weclip label reads it, trainings do not; leave it out (to train "
                "on masks of weclip label: weclip import-masks, then data.corrected)"
            )


def read_regions(
    config: Config, images: Sequence[NamedImage], masked: Sequence[NamedImage]
) -> RegionReader | None:
    """What reads the regions of images from files; None where none are named.

    Raises:
        InputError: As `open_regions`; or nothing reads regions; or a training image has none, or
            one to score on needs some.
    """
    files = config.regions.files
    predicts = cuts_images(config)
    reads = "clip" in needs(config) and "regions" in config.reads()
    if files is None:
        return None
    if not (predicts or reads):
        if config.tags_memory is not None:  # which reads them itself
            return None
        raise InputError(
            f"regions.files={files}: nothing in this training reads regions; leave it out, or take "
            "what does, such as cam.source=region_attention"
        )
    regions = open_regions(config)
    regions.require([*images, *masked] if predicts else images)
    return regions


def regions_to_predict(config: Config, inputs: Inputs) -> RegionReader | None:
    """What reads the regions of images that are predicted; None where predictions need none."""
    return inputs.regions if cuts_images(config) else None


def read_paths(config: Config) -> list[Path]:
    """Files and folders of the user's that a configuration names; names of ours are none."""
    data = config.data
    tags_file = None if data.tags_file == AUTO else data.tags_file
    classes = None if data.classes in SHIPPED else data.classes
    given = (data.root, tags_file, classes, data.corrected)
    banks = [config.label.memory, config.tags.memory]
    named = [*given, config.clip.descriptions, config.label.model, *banks, config.regions.files]
    encoders = [
        path(config)
        for path, read in (
            (clip_path, "clip" in needs(config) or data.tags_file == AUTO),
            (dino_path, reads_dino(config)),
            (mit_path, starts_from_mit(config) and config.mit.weights is not None),
        )
        if read
    ]
    return [*encoders, *(Path(path) for path in named if path)]


def open_cache(
    folder: str, images: list[TaggedImage], reading: Reading, console: Console
) -> DecodedCache:
    """The cache of decoded images, whose size is told."""
    cache = DecodedCache(Path(folder), reading=reading)
    size = cache.bytes_needed(images) / 1e9
    console.print(
        f"Decoded images are kept in {escape(folder)}: {size:.2f} GB for {len(images)} images.",
        soft_wrap=True,
    )
    return cache


def warn_of_untrained(images: list[TaggedImage], classes: ClassList, console: Console) -> None:
    """Name the classes that no image has; `weclip check` says more, but reads all files."""
    seen = {index for image in images for index in image.tags}
    untrained = [name for index, name in enumerate(classes.names) if index not in seen]
    if untrained:
        warn(console, f"no training image is tagged {', '.join(untrained)}; see weclip check")


def make_loader(config: Config, inputs: Inputs) -> TrainLoader:
    """The stream of training batches."""
    data = config.data
    augmentation = Augmentation(
        whole(data.crop_size),
        (data.scale_range[0], data.scale_range[1]),
        data.flip_probability,
        data.max_side,
    )
    crops = CropDataset(
        inputs.images,
        augmentation,
        seed=config.train.seed,
        read=inputs.read,
        corrected=None if inputs.corrected is None else inputs.corrected.masks,
        regions=None if inputs.regions is None else inputs.regions.read_ids,
    )
    return train_loader(
        crops,
        classes=inputs.classes,
        batch_size=whole(config.train.batch_size),
        workers=data.workers,
        max_unreadable=data.max_unreadable,
    )
