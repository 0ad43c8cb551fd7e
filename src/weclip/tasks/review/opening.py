"""What `weclip review` can open: masks of `label`, predictions, a trained model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from weclip.config import Config
from weclip.config_changes import Change
from weclip.config_file import load_config
from weclip.config_schema import PART_SECTIONS
from weclip.data.bands import ids_in
from weclip.data.batch import TaggedImage
from weclip.data.classes import ClassList, parse_classes
from weclip.data.dataset import open_dataset
from weclip.data.masks.mask_files import read_mask, read_note
from weclip.inference.image_files import collect_images
from weclip.inference.prediction import CERTAIN
from weclip.review.reviewed import Item, Reviewed
from weclip.system.console import warn
from weclip.system.errors import InputError
from weclip.system.files import RUN_MARKER, kind_of, sha256_of
from weclip.system.untrusted.documents import parse_json, read_json
from weclip.system.untrusted.files import is_folder
from weclip.system.untrusted.text import short
from weclip.tasks.datasets import root_change, tags_choice
from weclip.tasks.load.opening import ModelAt, open_predictor, require_no_region_files
from weclip.training.runlog import progress_bar

NO_SOFT = "no CAMs here: run weclip label again with --soft to see them"
NO_CAM = "no CAMs here: they are of weclip label --soft, made from tags"
NO_CONFIDENCE = "no confidence of pixels here: weclip label keeps that of a whole mask only"
NOT_ASKED = "no confidence here: run weclip predict again with --confidence to see it"
UNUSED = ("clip.weights", *PART_SECTIONS)


@dataclass(frozen=True)
class ReviewAt:
    """What is to be reviewed.

    Attributes:
        out: Output folder of `label` or `predict`, or a run of `train`.
        data: The images and tags; None: those that `out` names.
        clip: As in `ModelAt`.
        changes: Changes of the configuration, of which `data` counts, and `eval` of a run.
        plugins: As in `ModelAt`.
    """

    out: Path
    data: Path | None = None
    clip: Path | None = None
    changes: Sequence[Change] = ()
    plugins: Sequence[Path] = ()


def open_reviewed(place: ReviewAt, console: Console) -> Reviewed:
    """Open a folder for review, and tell what it is taken to be.

    Raises:
        InputError: It is none that can be reviewed, or its images are not there.
    """
    kind = kind_of(place.out / RUN_MARKER)
    openers = {"labelling": _labels, "prediction": _predictions, "training": _run}
    if kind not in openers:
        raise InputError(
            f"{place.out}: nothing to review; give an output folder of weclip label or weclip "
            "predict, or a run of weclip train"
        )
    reviewed = openers[kind](place, console)
    console.print(
        f"{reviewed.title}; {len(reviewed.items)} images, {len(reviewed.classes.names)} classes",
        soft_wrap=True,
        markup=False,
        highlight=False,
    )
    return reviewed


def _labels(place: ReviewAt, console: Console) -> Reviewed:
    """Masks of `weclip label`; their images and tags are those of its recipe."""
    recipe = read_json(place.out / "label.json", "recipe")
    try:
        classes = _class_list(recipe["class_list"])
        stored = {k: v for k, v in recipe["config"].items() if k.startswith("data.")}
    except (KeyError, TypeError, AttributeError):
        raise InputError(f"{place.out / 'label.json'} cannot be read; label again") from None
    config = load_config("folder", [stored, *_changes(place)], unused=UNUSED)
    images = _images(config, classes)
    confidences = _manifest(place.out)
    masks, soft = place.out / "masks", place.out / "soft"
    items = []
    for image in images:
        mask, name = masks / f"{image.name}.png", image.name
        confidence = confidences[name] if name in confidences else _of_note(mask)
        items.append(Item(image, mask, confidence, soft / f"{name}.npz"))
    lacking = sum(item.confidence is None for item in items)
    if lacking == len(items):
        raise InputError(
            f"{place.out}: none of the {len(items)} images has a mask here; are these the images "
            "that were labelled? give them with --data"
        )
    if lacking:
        warn(console, f"{lacking} of {len(items)} images have no mask yet; they come last")
    return Reviewed(
        f"masks of weclip label in {place.out}",
        place.out,
        classes,
        items,
        config.data.reading,
        no_cam="" if is_folder(soft) else NO_SOFT,
        no_confidence=NO_CONFIDENCE,
    )


def _run(place: ReviewAt, console: Console) -> Reviewed:
    """A trained model, which predicts an image when it is shown."""
    at = ModelAt(place.out, place.clip, _changes(place), place.plugins)
    opened = open_predictor(at)
    require_no_region_files(opened)
    opened.predictor.pin_eval()
    images = _images(opened.config, opened.classes)
    return Reviewed(
        f"predictions of the model in {place.out}, made when an image is shown",
        place.out,
        opened.classes,
        [Item(image) for image in images],
        opened.config.data.reading,
        predict=opened.predictor.with_confidence,
        no_cam=NO_CAM,
    )


def _predictions(place: ReviewAt, console: Console) -> Reviewed:
    """Masks of `weclip predict`; of their images only what `--data` says is known."""
    if place.data is None:
        raise InputError(f"{place.out}: predictions do not know their images; add --data FOLDER")
    classes = _legend(place.out)
    config = load_config("folder", _changes(place), unused=UNUSED)
    found = collect_images([str(place.data)]).files
    outputs = {path.resolve(): _output(place.out, path, output) for path, output in found}
    if not any(outputs.values()):
        raise InputError(f"{place.out}: no mask here is of an image in --data {place.data}")
    try:
        images = _images(config, classes)
    except InputError as error:
        console.print(f"no tags: {error}", soft_wrap=True, markup=False, highlight=False)
        console.print("an image is taken to have the tags that its mask shows", markup=False)
        there = [(path, output) for path, _ in found if (output := outputs[path.resolve()])]
        images = _tagged_by_masks(place.out, there, classes, console)
    pairs = [(image, output) for image in images if (output := outputs[image.path.resolve()])]
    if len(pairs) < len(images):
        warn(console, f"{len(images) - len(pairs)} images have no mask here; they are left out")
    folder = place.out / "confidence"
    asked = is_folder(folder)
    sure = _confidences(folder, [output for _, output in pairs], console) if asked else {}
    items = [
        Item(image, place.out / "masks" / output, sure.get(output), sure=folder / output)
        for image, output in pairs
    ]
    return Reviewed(
        f"predictions in {place.out}",
        place.out,
        classes,
        items,
        config.data.reading,
        no_cam=NO_CAM,
        no_confidence="" if asked else NOT_ASKED,
    )


def _output(out: Path, image: Path, output: Path) -> Path | None:
    """Where an image's mask lies below `masks`; None where there is none.

    Where another folder was predicted than is given now, one is inside the other. A mask knows the
    bytes that it was made of, so that one of an equal name is not taken for it.
    """
    tails = (Path(*output.parts[start:]) for start in range(len(output.parts)))
    there = next((tail for tail in tails if (out / "masks" / tail).is_file()), None)
    if there is None or there == output or read_note(out / "masks" / there) == sha256_of(image):
        return there
    return None


def _changes(place: ReviewAt) -> list[Change]:
    return [*root_change(place.data), *place.changes]


def _images(config: Config, classes: ClassList) -> list[TaggedImage]:
    """The images of the training split, with the class list of the masks."""
    data = config.data
    choice = tags_choice(data)
    dataset = open_dataset(
        data.format, data.root, classes=classes, tags_file=data.tags_file, choice=choice
    )
    return dataset.read_split(data.train_split)


def _class_list(found: Any) -> ClassList:
    """A class list as `label.json` holds it."""
    return ClassList(
        tuple(map(str, found["names"])),
        tuple(tuple(map(str, each)) for each in found["prompts"]),
        tuple(map(str, found["background_words"])),
        tuple((int(r), int(g), int(b)) for r, g, b in found["colours"]),
    )


def _legend(out: Path) -> ClassList:
    path = out / "legend.json"
    try:
        rows = read_json(path, "legend")["classes"][1:]
        entries = [{"name": row["name"], "colour": row["rgb"]} for row in rows]
    except (KeyError, TypeError):
        raise InputError(f"{path} cannot be read; predict again") from None
    return parse_classes({"classes": entries}, str(path))


def _manifest(out: Path) -> dict[str, float]:
    """Name -> confidence, of a finished labelling; empty of others."""
    path = out / "manifest.jsonl"
    if not path.is_file():
        return {}
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return dict(_confidence(line, str(path)) for line in lines)


def _confidence(line: str, where: str) -> tuple[str, float]:
    try:
        record: Mapping[str, Any] = parse_json(line, where)
        return str(record["name"]), float(record["confidence"])
    except (KeyError, TypeError):
        raise InputError(f"{where}: {short(line)} is no line of a manifest; label again") from None


def _of_note(mask: Path) -> float | None:
    """The confidence in a mask of a labelling that is not finished; None where there is none."""
    note = read_note(mask)
    return None if note is None else _confidence(note, str(mask))[1]


def _tagged_by_masks(
    out: Path, pairs: Sequence[tuple[Path, Path]], classes: ClassList, console: Console
) -> list[TaggedImage]:
    """Images with the classes that their masks show as tags."""
    images = []
    with progress_bar(console) as progress:
        task = progress.add_task("reading masks", total=len(pairs), status="")
        for path, output in pairs:
            mask = out / "masks" / output
            ids = ids_in(read_mask(mask))
            tags = tuple(i - 1 for i in ids if 0 < i < classes.num_classes)
            images.append(TaggedImage(output.with_suffix("").as_posix(), path, tags))
            progress.advance(task)
    return images


def _confidences(folder: Path, outputs: Sequence[Path], console: Console) -> dict[Path, float]:
    """Output -> mean confidence, where it was written."""
    found = {}
    with progress_bar(console) as progress:
        task = progress.add_task("reading confidence", total=len(outputs), status="")
        for output in outputs:
            if (folder / output).is_file():
                found[output] = float(read_mask(folder / output).mean()) / CERTAIN
            progress.advance(task)
    return found
