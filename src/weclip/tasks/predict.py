"""`weclip predict`: label maps of any images as palette PNGs, and overlays on request."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from weclip.build import build_predictor
from weclip.config_file import to_yaml
from weclip.data.masks.mask_files import read_note, save_mask
from weclip.inference.image_files import collect_images
from weclip.inference.segmenter import as_rgb
from weclip.inference.stream import Writer, predict_stream, read_ahead
from weclip.inference.visualize import overlay
from weclip.system.console import QUIET
from weclip.system.distributed import connect, everyones, own_part
from weclip.system.errors import InputError
from weclip.system.files import (
    RUN_MARKER,
    claim_folder,
    is_output,
    remove_temporaries,
    require_names_fit,
    require_outside,
    sha256_of,
    write_atomically,
    write_json,
)
from weclip.system.locks import working_in
from weclip.system.provenance import versions
from weclip.system.untrusted.documents import read_json
from weclip.system.untrusted.text import shown
from weclip.tasks.agreement import agree_on_inputs, agree_on_settings
from weclip.tasks.datasets import tell_lines
from weclip.tasks.load import LoadedModel, ModelAt, default_device
from weclip.tasks.train.resume import flatten
from weclip.training.runlog import progress_bar

KIND = "prediction"
RECIPE_NAME = "predict.json"
NAMED = 5
"""Images that are named in a message."""

Recipe = dict[str, Any]
Job = tuple[Path, Path]
"""An image file, and its output below `masks`."""
Read = tuple[NDArray[np.uint8], str]
"""An image (H, W, 3), and the SHA-256 of its file, which its mask carries."""


@dataclass(frozen=True, kw_only=True)
class PredictOptions:
    """How `predict` goes about it; no mask depends on it.

    Attributes:
        overlays: Also write each image with its label map painted over it.
        resume: Do only what is missing in the output folder.
        overwrite: Replace an earlier output there.
    """

    overlays: bool = False
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
    """Segment images and write `out/masks/**.png`, and `out/overlays/**.png` if asked.

    An image that cannot be read is left out and said.

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
        return _predict(model_at.open(), images, out, options, console)


def _predict(
    model: LoadedModel,
    images: Sequence[Job],
    out: Path,
    options: PredictOptions,
    console: Console,
) -> Predicted:
    """As `predict`, in a folder that is held."""
    agree_on_settings(model.config, **asdict(options))
    seen = ((output.as_posix(), None, (path,)) for path, output in images)
    agree_on_inputs(seen, model=sha256_of(model.path))
    predictor = build_predictor(model.config, model.method.to(default_device()))
    palette, limit = model.file.classes.palette, model.config.data.max_pixels
    place = connect()
    if place.is_main_process:
        enter(out, make_recipe(model), options)
    place.wait_for_everyone()
    own = [job for job in own_part(images) if not is_done(job, out, options)]
    skipped: list[str] = []
    with progress_bar(console) as progress, Writer() as writer:
        task = progress.add_task("predicting", total=len(own), status="")
        read = read_ahead(own, partial(read_or_say, max_pixels=limit))
        pictures = (((job[1], each), each[0]) for job, each in _readable(read, skipped, console))
        for (relative, (image, sha256)), label_map in predict_stream(predictor, pictures):
            if options.overlays:  # the mask last: where it is, all is
                writer(write_overlay, image, label_map, out / "overlays" / relative, palette)
            writer(save_mask, label_map, out / "masks" / relative, palette, sha256)
            progress.advance(task)
    skipped = [text for part in everyones(skipped) for text in part]
    if len(skipped) == len(images):
        others = f"; nor can the other {len(images) - 1} be read" if len(images) > 1 else ""
        raise InputError(skipped[0] + others)
    return Predicted(len(images) - len(skipped), skipped)


def summary(done: Predicted, out: Path) -> list[str]:
    """What is said at the end: how many there are, and what is left out."""
    lines = [f"{done.count} label maps in {out / 'masks'}"]
    if done.skipped:
        more = len(done.skipped) - NAMED
        named = "; ".join(done.skipped[:NAMED]) + (f"; and {more} more" if more > 0 else "")
        count = len(done.skipped)
        lines.append(f"{count} image{'s' if count > 1 else ''} could not be read: {named}")
    return lines


def make_recipe(model: LoadedModel) -> Recipe:
    """What `predict.json` holds: what the label maps are made with, all of which decides them."""
    settings = flatten(to_yaml(model.config))
    return {
        "model": sha256_of(model.path),
        "backbones": {name: list(each) for name, each in model.file.backbones.items()},
        "eval": {key: settings[key] for key in settings if key.startswith("eval.")},
    }


def enter(out: Path, recipe: Recipe, options: PredictOptions) -> None:
    """Make the folder, or go on in what is there.

    Raises:
        InputError: As `claim_folder`; or what is there was made by another model or otherwise.
    """
    path = out / RECIPE_NAME
    if not (options.resume and is_output(out, KIND)):
        claim_folder(out, KIND, overwrite=options.overwrite)
        write_json(path, recipe)
        write_json(out / RUN_MARKER, {"kind": KIND, "versions": versions()})
        return
    remove_temporaries(out)
    try:
        before = read_json(path, "recipe")
    except InputError:
        raise InputError(f"{path} cannot be read; choose another --out") from None
    if before != recipe:
        differs = [
            key for key in recipe if not isinstance(before, dict) or before.get(key) != recipe[key]
        ]
        raise InputError(
            f"--out {out} holds label maps that were made with another "
            f"{' and '.join(differs)}; give the same, or choose another --out"
        )


def is_done(job: Job, out: Path, options: PredictOptions) -> bool:
    """Whether an image's files are there, made of the bytes that it has now."""
    image, relative = job
    if options.overlays and not (out / "overlays" / relative).exists():
        return False
    note = read_note(out / "masks" / relative)
    try:
        return note is not None and note == sha256_of(image)
    except InputError:  # it is said when it is read
        return False


def read_or_say(job: Job, *, max_pixels: int) -> Read | InputError:
    """An image, or what is wrong with it."""
    try:
        sha256 = sha256_of(job[0])  # first: if the file is replaced meanwhile, it is done again
        return as_rgb(job[0], max_pixels=max_pixels), sha256
    except InputError as error:
        return error


def _readable(
    read: Iterable[tuple[Job, Read | InputError]],
    skipped: list[str],
    console: Console,
) -> Iterator[tuple[Job, Read]]:
    """The images that can be read; the others are told and noted."""
    for job, image in read:
        if isinstance(image, InputError):
            said = shown(str(image))
            skipped.append(said)
            console.print(f"skipped: {said}", style="yellow", soft_wrap=True, markup=False)
        else:
            yield job, image


def write_overlay(
    image: NDArray[np.uint8], label_map: NDArray[np.uint8], path: Path, palette: NDArray[np.uint8]
) -> None:
    """Paint a label map over its image; the file appears whole or not at all."""
    picture = overlay(image, label_map, palette=palette)
    write_atomically(path, lambda temporary: picture.save(temporary, format="PNG"))
