"""The report of `weclip label`: the masks beside the tags, from what lies in the folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from rich.console import Console

from weclip.config import Config
from weclip.data.batch import TaggedImage
from weclip.data.dataset import Dataset
from weclip.inference.report.overview import advice
from weclip.inference.report.overview.advice import Advice
from weclip.inference.report.overview.cards import MOST_SCENES, Panels, Section
from weclip.inference.report.overview.classes import class_rows
from weclip.inference.report.overview.page import REPORT_NAME, Overview, write_overview
from weclip.inference.report.overview.scene import Scene, most_doubtful
from weclip.system.untrusted.documents import parse_json
from weclip.system.untrusted.files import read_bytes
from weclip.tasks.label.folder import MANIFEST_NAME, LabelFolder
from weclip.tasks.report.data import images_by_class, images_by_tags, tags_found
from weclip.tasks.report.folder_scenes import Files, panels_of, watched
from weclip.tasks.report.harmless import harmless
from weclip.tasks.report.repeat import repeat_command, suspects_command
from weclip.tasks.train.inputs import OF_LABELS

TAGS_ONLY = "They hold the classes of an image's tags only"
ANY_CLASS = "No tags were read, so every class may be in every image"


def report_labels(
    folder: LabelFolder,
    images: Sequence[TaggedImage],
    dataset: Dataset,
    config: Config,
    options: Sequence[str],
    console: Console,
) -> Path | None:
    """Write `report.html` and `scenes.csv`, if all masks are there; an error is one warning.

    Args:
        folder: The folder, with its manifest.
        images: All images of the split.
        dataset: What they are of.
        config: Resolved configuration.
        options: Further options of the command.
        console: Where it is told.

    Returns:
        The page; None where there is none.
    """
    with harmless(console, REPORT_NAME):
        scenes = read_scenes(folder, images)
        if scenes is None:
            return None
        files = {i.name: Files(i.path, folder.mask_path(i)) for i in images}
        panels = panels_of(files, folder.classes.palette, "mask", config.data.reading)
        with watched(panels, min(len(scenes), MOST_SCENES), console) as panels:
            page = _overview(folder, images, dataset, config, options, scenes, panels)
            path = write_overview(folder.out, page)
        console.print(f"report: {path}", soft_wrap=True, markup=False)
        return path
    return None


def read_scenes(folder: LabelFolder, images: Sequence[TaggedImage]) -> list[Scene] | None:
    """The manifest's lines as scenes; None where it is not of these images."""
    path = folder.out / MANIFEST_NAME
    if not path.is_file():
        return None
    lines = read_bytes(path, "manifest").splitlines()
    records = [parse_json(line, str(path)) for line in lines]
    if [record["name"] for record in records] != [image.name for image in images]:
        return None
    ids = {name: i for i, name in enumerate(folder.classes.names_with_background)}
    tags = [None if folder.any_class else image.tags for image in images]
    return [_scene(r, own, ids) for r, own in zip(records, tags, strict=True)]


def _scene(
    record: Mapping[str, Any], tags: tuple[int, ...] | None, ids: Mapping[str, int]
) -> Scene:
    return Scene(
        name=record["name"],
        size=(record["height"], record["width"]),
        tags=tags,
        shares={ids[name]: share for name, share in record["shares"].items() if share},
        unsure=record["unsure"],
        confidence=record["confidence"],
    )


def _scores(out: Path, config: Config, settings: Mapping[str, Any]) -> str:
    """The command that scores the masks, where some of the images have drawn ones."""
    data = {key: value for key, value in settings.items() if key.startswith("data.")}
    data["data.eval_split"] = config.data.train_split
    place = out.with_name(f"{out.name}-scores")
    options = ["--masks", str(out / "masks")]
    return repeat_command("evaluate", data, place, plugins=config.PLUGINS, options=options)


def _train(out: Path, config: Config, settings: Mapping[str, Any]) -> Advice:
    """The command that learns from the same images and tags."""
    place = out.with_name(f"{out.name}-run")
    settings = {key: value for key, value in settings.items() if key not in OF_LABELS}
    return Advice(
        "Train a segmenter",
        "It learns from all images together, needs no tags afterwards, and finds classes that a "
        "tag does not say.",
        repeat_command("train", settings, place, plugins=config.PLUGINS),
    )


def _overview(
    folder: LabelFolder,
    images: Sequence[TaggedImage],
    dataset: Dataset,
    config: Config,
    options: Sequence[str],
    scenes: Sequence[Scene],
    panels: Panels,
) -> Overview:
    classes, ordered, tagged = folder.classes, most_doubtful(scenes), not folder.any_class
    names = classes.names_with_background
    rows = class_rows(
        scenes,
        num_classes=classes.num_classes,
        images=images_by_class(images, len(classes.names)) if tagged else None,
        iou=None,
    )
    trains = tagged and not config.label.windows  # else it would see other maps than these
    sure = mean(scene.confidence or 0.0 for scene in scenes)
    settings = folder.recipe["config"]
    note = f"Most doubtful first{': a tag that is nowhere, then what is unsure' if tagged else ''}."
    return Overview(
        title=f"Masks from {'tags' if tagged else 'class names'}: {folder.out.name}",
        lead=f"Masks made by frozen encoders ({folder.recipe['method']}), without training. "
        f"{TAGS_ONLY if tagged else ANY_CLASS}; nothing here is scored.",
        headline=[
            ("images", f"{len(scenes):,}", f"of split {config.data.train_split}"),
            ("classes", str(len(classes.names)), "without background"),
            *([tags_found(scenes)] if tagged else []),
            ("confidence", f"{100 * sure:.0f} %", "mean over images"),
        ],
        advice=[
            *advice.lost_tags(
                scenes, names, suspects_command(settings, folder.out, config.PLUGINS)
            ),
            *advice.unsure(scenes),
            *(advice.few_images(rows, names) if tagged else ()),
            *advice.no_masks(_scores(folder.out, config, settings), "of these images"),
            *([_train(folder.out, config, settings)] if trains else []),
        ],
        data=dataset.understood(config.data.train_split, None),
        tag_counts=images_by_tags(images) if tagged else [],
        rows=rows,
        sections=[Section("Images", f"{note} Hatched: unsure (255).", ordered, panels)],
        scenes=ordered,
        command=repeat_command(
            "label", settings, folder.out, plugins=config.PLUGINS, options=options
        ),
        settings=settings,
        classes=classes,
    )
