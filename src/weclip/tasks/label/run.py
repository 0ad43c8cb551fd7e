"""`weclip label`: masks of images with tags, from a frozen CLIP alone."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from rich.console import Console

from weclip.backbones.precision import chosen_precision, store_frozen
from weclip.build.without_training import build_label_crf
from weclip.config import Config
from weclip.data.batch import TaggedImage
from weclip.data.classes import ClassList
from weclip.data.dataset import Dataset
from weclip.data.images.listing import AUTO
from weclip.exports.formats import EXPORTS, parse_exports
from weclip.exports.labelled import Labelled, LabelledImage
from weclip.exports.names import require_names
from weclip.inference.given_image import as_rgb
from weclip.inference.label_masks import label_stream
from weclip.inference.stream.beside import Writer, read_ahead
from weclip.system.console import QUIET
from weclip.system.distributed import connect, default_device, own_part
from weclip.system.errors import InputError
from weclip.system.files import remove_temporaries, require_names_fit, require_outside, write_text
from weclip.system.locks import working_in
from weclip.tasks.agreement import agree_on_inputs, agree_on_settings, seen_in
from weclip.tasks.corrections.applied import apply_corrections
from weclip.tasks.datasets import open_configured, tell_precision
from weclip.tasks.label.any_class import open_untagged, require_any_class, with_all_classes
from weclip.tasks.label.corrected import write_corrected, write_whole
from weclip.tasks.label.folder import KIND, LabelFolder, decisive, make_recipe
from weclip.tasks.label.joining import shard_of
from weclip.tasks.label.opening import open_method
from weclip.tasks.label.report import report_labels
from weclip.tasks.label.windowed import require_windows
from weclip.tasks.load.for_labels import require_clip_files
from weclip.tasks.load.model import model_path
from weclip.tasks.tag.auto_tags import AUTO_TAGS, tagged_once, with_tags_precision
from weclip.tasks.tag.memory import require_tags_memory
from weclip.tasks.train.inputs import read_paths
from weclip.training.model_file import read_model_file
from weclip.training.runlog import progress_bar


@dataclass(frozen=True, kw_only=True)
class LabelOptions:
    """How `label` goes about it; no mask depends on it.

    Attributes:
        overlays: Also write each image with its mask painted over it.
        soft: Also write the maps that the masks are of.
        export: Names of `EXPORTS`, also several in one text with commas.
        shard: `i/n`: the i-th of n parts, counted from 1; None: all images.
        resume: Do only what is missing in `out`.
        overwrite: Replace an earlier output in `out`.
    """

    overlays: bool = False
    soft: bool = False
    export: tuple[str, ...] = ()
    shard: str | None = None
    resume: bool = False
    overwrite: bool = False

    def to_list(self) -> list[str]:
        """As options of the command, those of what is written."""
        flags = [f"--{name}" for name in ("overlays", "soft") if getattr(self, name)]
        return [*flags, *(word for name in self.export for word in ("--export", name))]


def label(config: Config, out: Path, options: LabelOptions, *, console: Console = QUIET) -> int:
    """Write `out/masks/**.png`, and with the last mask of the split `out/manifest.jsonl`.

    Args:
        config: Resolved configuration; `data`, `clip`, `cam`, `affinity`, `par`, `label` are read.
        out: Output folder.
        options: See there.
        console: Where progress is shown; by default nowhere.

    Returns:
        Number of masks in `out`, of all shards.

    Raises:
        InputError: Anything given cannot be used, or an image cannot be read; finished masks stay.
    """
    shard = check_options(options)
    with working_in(out, KIND, shared=shard is not None, first=connect().is_main_process):
        return _label(config, out, options, shard, console)


def _label(
    config: Config,
    out: Path,
    options: LabelOptions,
    shard: tuple[int, int] | None,
    console: Console,
) -> int:
    """As `label`, in a folder that is held; shards hold it together."""
    agree_on_settings(config, **asdict(options))
    config = with_precisions(config)
    require_consistent(config)
    require_clip_files(config)
    if config.label.model is not None:
        read_model_file(model_path(Path(config.label.model)))
    dataset, images = read_images(config, out, console)
    applied = apply_corrections(config, dataset.classes, images, console)
    classes = dataset.classes if applied is None else applied.classes
    names = [image.name for image in images]
    require_names(parse_exports(options.export), classes.names, names)
    crf = build_label_crf(config)
    opened = open_method(config, classes, console, soft=options.soft)
    opened.require_regions(images)
    folder = LabelFolder(
        out,
        root=data_folder(config),
        classes=classes,
        recipe=make_recipe(config, classes, opened, applied),
        overlays=options.overlays,
        soft=options.soft,
        corrected={} if applied is None else applied.seen.digests,
        any_class=config.label.any_class,
        shares=opened.scorer.shares,
    )
    recipe = decisive(folder.recipe)
    recipe |= {"class_list": str(recipe["class_list"]), "corrected": str(folder.corrected)}
    agree_on_inputs(seen_in(images), **recipe)
    place = connect()
    if place.is_main_process:
        joins = options.resume or shard is not None
        folder.enter(joins=joins, overwrite=options.overwrite, inputs=read_paths(config))
        if options.resume and shard is None:
            remove_temporaries(out)  # no shard may be writing
    place.wait_for_everyone()
    if config.data.tags_file == AUTO:
        given = (config, classes, images, opened.backbones.clip, console)
        images, text = tagged_once(*given, stored=out / AUTO_TAGS, memory=opened.tags_memory)
        if place.is_main_process:
            write_text(out / AUTO_TAGS, text)
    if applied is not None:
        images = applied.correct(images, console)
        console.print(f"corrected: {applied.line}", soft_wrap=True, markup=False, highlight=False)
    tell(images, console)
    tell_precision(config.label.precision, torch.device(default_device()).type, console)
    store_frozen(opened.method, config.label.precision)
    part = images if shard is None else images[shard[0] - 1 :: shard[1]]
    missing = [image for image in own_part(part) if not folder.is_done(image)]
    if applied is not None:
        missing = write_corrected(folder, applied.masks, missing, config.data.reading)
    reading = config.data.reading
    with progress_bar(console) as progress, Writer() as writer:
        task = progress.add_task("labelling", total=len(missing), status="")
        read = read_ahead(missing, lambda image: as_rgb(image.path, reading=reading))
        labelled = label_stream(
            opened.scorer,
            read,
            crf=crf,
            threshold=config.label.threshold,
            background_under=config.label.background_under,
        )
        for (image, pixels), mask in labelled:
            writer(write_whole, folder, image, pixels, mask)
            progress.advance(task)
    place.wait_for_everyone()
    if not place.is_main_process:
        return 0
    count = finish(folder, images, options, classes, console)
    report_labels(folder, images, dataset, config, options.to_list(), console)
    return count


def read_images(config: Config, out: Path, console: Console) -> tuple[Dataset, list[TaggedImage]]:
    """The data set, and the images to label; errors as there, and in `require_usable`."""
    free = config.label.any_class
    dataset = (open_untagged if free else open_configured)(config, console)
    images = dataset.read_split(config.data.train_split)
    require_usable(images, config, out)
    if free:
        images = with_all_classes(images, len(dataset.classes.names))
    return dataset, images


def require_consistent(config: Config) -> None:
    """InputError for settings that contradict each other."""
    require_tags_memory(config)
    if config.label.windows:
        require_windows(config)
    if config.label.any_class:
        require_any_class(config)


def with_precisions(config: Config) -> Config:
    """A copy whose precisions are what they mean here; errors as in `chosen_precision`."""
    chosen = chosen_precision(config.label.precision, "label.precision", default_device())
    config = replace(config, label=replace(config.label, precision=chosen))
    return with_tags_precision(config) if config.data.tags_file == AUTO else config


def check_options(options: LabelOptions) -> tuple[int, int] | None:
    """The shard (i, n); InputError for options that are unknown or contradict each other."""
    parse_exports(options.export)
    return shard_of(options.shard, resume=options.resume, overwrite=options.overwrite)


def require_usable(images: Sequence[TaggedImage], config: Config, out: Path) -> None:
    """InputError if there is nothing to label, or an image lies where masks are written."""
    data = config.data
    if not images:
        raise InputError(f"{data.root}: no image in split '{data.train_split}'; add some")
    require_outside(out, (image.path for image in images))
    if connect().is_main_process:
        require_names_fit(out, (Path(f"{image.name}.png") for image in images))


def data_folder(config: Config) -> Path:
    """The folder that the manifest's files are relative to."""
    root = Path(config.data.root)
    return root if root.is_dir() else root.parent


def tell(images: Sequence[TaggedImage], console: Console) -> None:
    """Say how many images have no tags, whose masks are all background."""
    count = sum(not image.tags for image in images)
    if count:
        console.print(f"{count} of {len(images)} images have no tags: their masks are background")


def finish(
    folder: LabelFolder,
    images: Sequence[TaggedImage],
    options: LabelOptions,
    classes: ClassList,
    console: Console,
) -> int:
    """Write what needs all masks, if they are all there; how many there are."""
    records = [record for image in images if (record := folder.record(image)) is not None]
    if len(records) < len(images):
        console.print(
            f"{len(records)} of {len(images)} images are labelled; the shard that ends last "
            "writes manifest.jsonl and exports, and so does --resume"
        )
        return len(records)
    folder.write_manifest(records)
    done = [
        LabelledImage(
            name=image.name,
            path=image.path,
            file=record["file"],
            size=(record["height"], record["width"]),
            confidence=record["confidence"],
        )
        for image, record in zip(images, records, strict=True)
    ]
    for name in parse_exports(options.export):
        path = EXPORTS[name](Labelled(folder.out, classes, folder.recipe["method"], done))
        console.print(f"export: {path}", soft_wrap=True, markup=False)
    return len(records)
