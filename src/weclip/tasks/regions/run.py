"""`weclip regions`: images cut into regions, once, for all that reads them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import mean

from rich.console import Console

from weclip import parts
from weclip.config import Config
from weclip.data.batch import TaggedImage
from weclip.data.classes import parse_classes
from weclip.data.dataset import Dataset, open_dataset
from weclip.data.images.listing import AUTO
from weclip.data.regions.files import KIND
from weclip.data.summary import left_out_line
from weclip.inference.given_image import as_rgb
from weclip.inference.stream.beside import Writer, read_ahead
from weclip.system.console import QUIET, warn
from weclip.system.distributed import connect, own_part
from weclip.system.errors import InputError
from weclip.system.files import remove_temporaries, require_names_fit, require_outside
from weclip.system.locks import working_in
from weclip.tasks.agreement import agree_on_inputs, agree_on_settings, seen_in
from weclip.tasks.datasets import Listed, list_images, tell_lines, untagged
from weclip.tasks.label.joining import shard_of
from weclip.tasks.regions.folder import RegionFolder, decisive, make_recipe
from weclip.tasks.regions.opening import OpenedSource, open_source
from weclip.training.runlog import progress_bar

UNUSED = ("clip.weights",)
"""What of the configuration this command does without."""


@dataclass(frozen=True, kw_only=True)
class RegionsOptions:
    """How `regions` goes about it; no region depends on it.

    Attributes:
        overlays: Also write each image with its regions painted over it.
        shard: `i/n`: the i-th of n parts, counted from 1; None: all images.
        resume: Do only what is missing in `out`.
        overwrite: Replace an earlier output in `out`.
    """

    overlays: bool = False
    shard: str | None = None
    resume: bool = False
    overwrite: bool = False


def regions(config: Config, out: Path, options: RegionsOptions, *, console: Console = QUIET) -> int:
    """Write `out/maps/**.png`, and with the last one `out/manifest.jsonl`.

    `out/masks/**.json` holds the masks of a source whose masks overlap.

    Args:
        config: Resolved configuration; `data`, `regions` and perhaps `dino` are read, no tags.
        out: Output folder.
        options: See there.
        console: Where progress is shown; by default nowhere.

    Returns:
        Number of id maps in `out`, of all shards.

    Raises:
        InputError: Anything given cannot be used, or an image cannot be read; finished maps stay.
    """
    shard = shard_of(options.shard, resume=options.resume, overwrite=options.overwrite)
    if config.regions.files is not None:
        raise InputError(
            f"regions.files={config.regions.files}: regions are made here, not read; leave it out"
        )
    with working_in(out, KIND, shared=shard is not None, first=connect().is_main_process):
        return _regions(config, out, options, shard, console)


def _regions(
    config: Config,
    out: Path,
    options: RegionsOptions,
    shard: tuple[int, int] | None,
    console: Console,
) -> int:
    """As `regions`, in a folder that is held; shards hold it together."""
    agree_on_settings(config, **asdict(options))
    images = images_of(config, console, scored=True)
    require_outside(out, (image.path for image in images))
    source = open_source(config, console=console)
    folder = RegionFolder(out, make_recipe(config, source.record), options.overlays)
    agree_on_inputs(seen_in(images), **decisive(folder.recipe))
    place = connect()
    if place.is_main_process:
        require_names_fit(out, (Path(f"{image.name}.json") for image in images))
        joins = options.resume or shard is not None
        inputs = [Path(config.data.root)]
        folder.enter(joins=joins, overwrite=options.overwrite, inputs=inputs)
        if options.resume and shard is None:
            remove_temporaries(out)  # no shard may be writing
    place.wait_for_everyone()
    tell(source, config, console)
    part = images if shard is None else images[shard[0] - 1 :: shard[1]]
    missing = [image for image in own_part(part) if not folder.is_done(image)]
    cut(missing, source, folder, config, console)
    place.wait_for_everyone()
    return finish(folder, images, console) if place.is_main_process else 0


def cut(
    images: Sequence[TaggedImage],
    source: OpenedSource,
    folder: RegionFolder,
    config: Config,
    console: Console,
) -> None:
    """Cut images into regions and write them, while the next ones are read."""
    reading = config.data.reading
    with progress_bar(console) as progress, Writer() as writer:
        task = progress.add_task("regions", total=len(images), status="")
        for image, pixels in read_ahead(images, lambda each: as_rgb(each.path, reading=reading)):
            writer(folder.write, image, pixels, source(pixels))
            progress.advance(task)


def images_of(config: Config, console: Console, *, scored: bool = False) -> list[TaggedImage]:
    """The images of the training split and, of a folder, of the split to score on.

    Tags and classes are not looked at, so there need be none.

    Args:
        config: Resolved configuration; `data` is read.
        console: Where it is told.
        scored: Whether the split to score on is read of other layouts too, where there is one.

    Raises:
        InputError: There is no image.
    """
    data, classes = config.data, parse_classes({"classes": ["any"]}, "images")
    dataset = open_dataset(data.format, data.root, classes=classes, tags_file=AUTO)
    listed = list_images(untagged(config), dataset)
    if scored:
        listed = with_scored(listed, dataset, data.eval_split)
    tell_lines(understood(listed, dataset, config), console)
    return listed.images


def with_scored(listed: Listed, dataset: Dataset, split: str | None) -> Listed:
    """The images, and those of the split to score on that are not among them, if it is there."""
    try:
        more = [] if split is None else dataset.read_split(split)
    except InputError:
        return listed
    new = [image for image in more if image.name not in listed.splits]
    splits = {**listed.splits, **{image.name: str(split) for image in new}}
    return replace(listed, images=[*listed.images, *new], splits=splits)


def understood(listed: Listed, dataset: Dataset, config: Config) -> list[str]:
    """How many images from where, and what was left out: one line or two."""
    count, origins = len(listed.images), dataset.layout.origins(config.data.train_split)
    splits = ", ".join(dict.fromkeys(listed.splits.values()))
    line = f"{config.data.root}: {count} image{'' if count == 1 else 's'} in {splits}"
    return [f"{line}; no tags are read", *left_out_line(origins.left_out)]


def tell(source: OpenedSource, config: Config, console: Console) -> None:
    """Say what makes the regions, and that it saw masks that people drew, if it did."""
    name = config.regions.source
    console.print(f"regions by {name}", markup=False, highlight=False)
    if source.source.saw_human_masks:
        warn(
            console,
            f"{parts.REGION_SOURCE.name} '{name}' learnt from masks that people drew; results that "
            "use it are not of image tags only (docs/regions.md)",
        )


def finish(folder: RegionFolder, images: Sequence[TaggedImage], console: Console) -> int:
    """Write what needs all id maps, if they are all there; how many there are."""
    records = [record for image in images if (record := folder.record(image)) is not None]
    if len(records) < len(images):
        console.print(
            f"{len(records)} of {len(images)} images have regions; the shard that ends last writes "
            "manifest.jsonl, and so does --resume"
        )
        return len(records)
    folder.write_manifest(records)
    count = mean(record["regions"] for record in records)
    console.print(f"{count:.1f} regions in an image", markup=False, highlight=False)
    return len(records)
