"""`weclip predict`: label maps of any images as palette PNGs, and overlays on request."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from weclip.data.batch import IGNORE_INDEX
from weclip.data.masks.geo_masks import (
    has_geo_mask,
    save_geo_mask,
)
from weclip.data.masks.mask_files import save_mask
from weclip.inference.image_files import collect_images
from weclip.inference.prediction import Predicts
from weclip.inference.report.overview.page import REPORT_NAME
from weclip.inference.stream.beside import Writer, read_ahead
from weclip.inference.stream.predicted import confident_stream, predict_stream
from weclip.inference.visualize import overlay
from weclip.system.console import QUIET
from weclip.system.distributed import connect, everyones, own_part
from weclip.system.errors import InputError
from weclip.system.files import (
    require_names_fit,
    require_outside,
    write_atomically,
)
from weclip.system.locks import working_in
from weclip.tasks.agreement import agree_on_inputs, agree_on_settings
from weclip.tasks.datasets import tell_lines, tell_precision
from weclip.tasks.load.opening import ModelAt, Opened, open_predictor
from weclip.tasks.prediction_folder import (
    CONFIDENCE,
    KIND,
    Job,
    enter,
    geo_path,
    is_done,
    make_recipe,
)
from weclip.tasks.prediction_images import read_or_say, tell_of_maps, usable
from weclip.tasks.report.harmless import harmless
from weclip.tasks.report.prediction import write_prediction_report
from weclip.tasks.report.repeat import predict_command
from weclip.training.runlog import progress_bar

if TYPE_CHECKING:
    from weclip.labels.regions.regions import Regions

FAST = ("eval.scales=[1.0]", "eval.flip=false")
FAST_KEYS = ("eval.scales=", "eval.flip=")
FAST_PRICE = "on the demo as good as three scales and flip, in a sixth of the time"
"""What `FAST` does to the demo's scores."""
NAMED = 5
"""Images that are named in a message."""

Image = NDArray[np.uint8]
Key = TypeVar("Key")


@dataclass(frozen=True, kw_only=True)
class PredictOptions:
    """How `predict` goes about it; no label depends on it.

    Attributes:
        overlays: Also write each image with its label map painted over it.
        confidence: Also write how sure each pixel is.
        ids: Write masks of plain grey ids, without a palette.
        report: Also write `report.html`.
        resume: Do only what is missing in the output folder.
        overwrite: Replace an earlier output there.
    """

    overlays: bool = False
    confidence: bool = False
    ids: bool = False
    report: bool = False
    resume: bool = False
    overwrite: bool = False


DEFAULTS = PredictOptions()


@dataclass(frozen=True)
class Predicted:
    """What a prediction ends with, of all processes together.

    Attributes:
        count: Label maps that are there.
        skipped: What is wrong with images that have none.
    """

    count: int
    skipped: list[str]


def predict(
    model_at: ModelAt,
    inputs: Sequence[str],
    out: Path,
    options: PredictOptions = DEFAULTS,
    *,
    console: Console = QUIET,
) -> Predicted:
    """Segment images and write `out/masks/**.png`, and what else is asked for beside it.

    `legend.json` says what the ids are, `run.json` what the masks were made with. `overlays` holds
    the images with their masks painted on, `confidence` the probability of each pixel's class as
    8-bit grey, where 255 is 1; of images from a map `geotiff` holds the masks as GeoTIFF. An image
    that cannot be read is left out and said.

    Args:
        model_at: The model.
        inputs: Image files, folders (sub-folders are kept) or patterns.
        out: Output folder.
        options: See there.
        console: Where progress is shown; by default nowhere.

    Raises:
        InputError: Anything given cannot be used, or no image can be read.
    """
    if options.resume and options.overwrite:
        raise InputError("--resume and --overwrite contradict each other; give one of them")
    collected = collect_images(inputs)
    tell_lines(collected.understood(inputs), console)
    images = collected.files
    require_outside(out, (path for path, _ in images))
    with working_in(out, KIND, first=connect().is_main_process):
        if connect().is_main_process:
            require_names_fit(out, (output for _, output in images))
        model = open_predictor(model_at)
        done = _predict(model, images, out, options, console)
        if options.report and connect().is_main_process:
            with harmless(console, REPORT_NAME):
                write_prediction_report(
                    out,
                    images,
                    model.classes,
                    command=repeated(model_at, inputs, out, options),
                    confidence=out / CONFIDENCE if options.confidence else None,
                    settings=make_recipe(model, ids=options.ids)["eval"],
                    reading=model.config.data.reading,
                )
        return done


def _predict(
    model: Opened,
    images: Sequence[Job],
    out: Path,
    options: PredictOptions,
    console: Console,
) -> Predicted:
    """As `predict`, in a folder that is held."""
    agree_on_settings(model.config, **asdict(options))
    seen = ((output.as_posix(), None, (path,)) for path, output in images)
    agree_on_inputs(seen, model=model.sha256)
    palette, reading = model.classes.palette, model.config.data.reading
    place = connect()
    regions = regions_of(model, images, console)
    if place.is_main_process:
        enter(out, model, ids=options.ids, resume=options.resume, overwrite=options.overwrite)
    place.wait_for_everyone()
    beside = {"overlays": options.overlays, "confidence": options.confidence}
    tell_of_maps(images, console)
    tell_precision(model.config.eval.precision, model.device, console)
    names = model.classes.names_with_background
    own = [job for job in own_part(images) if not is_done(job, out, **beside)]
    skipped: list[str] = []
    with progress_bar(console) as progress, Writer() as writer:
        task = progress.add_task("predicting", total=len(own), status="")
        read = read_ahead(own, partial(read_or_say, reading=reading))
        readable = usable(read, model, skipped, console)
        pictures = (((job, each), each[0]) for job, each in readable)
        for ((path, relative), (image, sha256, missing)), ids, confidence in predictions(
            model.predictor, pictures, confidence=options.confidence, regions=regions
        ):
            if missing is not None:
                ids[missing] = IGNORE_INDEX
                if confidence is not None:
                    confidence[missing] = 0
            if options.overlays:  # the mask last: where it is, all is
                writer(write_overlay, image, ids, out / "overlays" / relative, palette)
            if confidence is not None:
                writer(save_mask, confidence, out / CONFIDENCE / relative, None, sha256)
            colours = None if options.ids else palette
            if has_geo_mask(path):
                target = geo_path(out, relative)
                writer(partial(save_geo_mask, names=names, palette=colours), ids, target, path)
            writer(save_mask, ids, out / "masks" / relative, colours, sha256)
            progress.advance(task)
    skipped = [text for part in everyones(skipped) for text in part]
    if len(skipped) == len(images):
        others = f"; nor can the other {len(images) - 1} be used" if len(images) > 1 else ""
        raise InputError(skipped[0] + others)
    return Predicted(len(images) - len(skipped), skipped)


def predictions(
    predictor: Predicts,
    pictures: Iterable[tuple[Key, Image]],
    *,
    confidence: bool,
    regions: "Callable[[Key, Image], Regions] | None",
) -> Iterator[tuple[Key, Image, Image | None]]:
    """Of each picture its key and label map (H, W), and (H, W) how sure it is, if that is asked.

    `regions` are as in `predict_stream`.
    """
    if confidence:
        for key, found in confident_stream(predictor, pictures, regions=regions):
            yield key, found.label_map, found.confidence
    else:
        for key, label_map in predict_stream(predictor, pictures, regions=regions):
            yield key, label_map, None


def regions_of(
    model: Opened, jobs: Sequence[Job], console: Console
) -> "Callable[[tuple[Job, object], Image], Regions] | None":
    """What gives the regions of a job's image, for a model that reads them in files.

    Raises:
        InputError: An image has none.
    """
    if model.regions is None:  # nor may there be a PyTorch
        return None
    from weclip.tasks.regions.of_model import ImageFile, by_name

    tell_lines([model.regions.note] if model.regions.note else [], console)
    named = [ImageFile(name_of(job), job[0]) for job in jobs]
    give = by_name(model.regions.reader, named)
    return None if give is None else lambda key, pixels: give(name_of(key[0]), pixels)


def name_of(job: Job) -> str:
    """An image's name: its output below `masks`, without suffix."""
    return job[1].with_suffix("").as_posix()


def repeated(model_at: ModelAt, inputs: Sequence[str], out: Path, options: PredictOptions) -> str:
    """The command that does the same again, quoted."""
    flags = [f"--{name}" for name in ("overlays", "confidence", "ids", "report")]
    wanted = [flag for flag in flags if getattr(options, flag.removeprefix("--"))]
    return predict_command(model_at, inputs, out, wanted)


def skipped_line(done: Predicted) -> str:
    """What is said at the end of images that are left out."""
    more = len(done.skipped) - NAMED
    named = "; ".join(done.skipped[:NAMED]) + (f"; and {more} more" if more > 0 else "")
    count = len(done.skipped)
    return f"{count} image{'s are' if count > 1 else ' is'} left out: {named}"


def fast_changes(changes: Sequence[str], console: Console) -> list[str]:
    """The changes of `--fast` and others; its price is told.

    Raises:
        InputError: Another change is of what `--fast` decides.
    """
    for change in changes:
        if change.startswith(FAST_KEYS):
            raise InputError(f"--fast and {change} contradict each other; give one of them")
    console.print(f"fast: one scale, no flip; {FAST_PRICE} (docs/evaluation.md)", soft_wrap=True)
    return [*FAST, *changes]


def write_overlay(
    image: NDArray[np.uint8], label_map: NDArray[np.uint8], path: Path, palette: NDArray[np.uint8]
) -> None:
    """Paint a label map over its image; the file appears whole or not at all."""
    picture = overlay(image, label_map, palette=palette)
    write_atomically(path, lambda temporary: picture.save(temporary, format="PNG"))
