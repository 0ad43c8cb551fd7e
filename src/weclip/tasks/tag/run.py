"""`weclip tag`: a tags file made by CLIP from images and class names."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from weclip.backbones.clip.weights import Clip
from weclip.build.without_training import tag_threshold
from weclip.config import Config
from weclip.config_file import flatten, to_yaml
from weclip.data.classes import ClassList
from weclip.data.dataset import open_dataset
from weclip.data.images.listing import AUTO, find_tags_file
from weclip.data.layouts.dataset_yaml import describe
from weclip.inference.scores.tag_scores import TagScores, score_tags
from weclip.system.console import QUIET
from weclip.system.distributed import connect
from weclip.system.errors import InputError
from weclip.system.files import kind_of, require_writable, write_json, write_text
from weclip.system.locks import working_on
from weclip.system.provenance import versions
from weclip.tasks.agreement import agree_on_inputs, agree_on_settings, seen_in
from weclip.tasks.datasets import (
    Listed,
    list_images,
    open_configured,
    tags_choice,
    untagged,
)
from weclip.tasks.load.backbones import open_clip
from weclip.tasks.load.for_labels import require_clip_files
from weclip.tasks.tag.auto_tags import AutoTags, make_tags, table, with_tags_precision
from weclip.tasks.tag.memory import open_tags_memory

KIND = "tags by CLIP"
Scores = dict[str, TagScores]


def tag(config: Config, out: Path, *, console: Console = QUIET, overwrite: bool = False) -> int:
    """Write the tags file `out` and, beside it, `out.json`: how it was made, and how right it is.

    Args:
        config: Resolved configuration; `data`, `clip`, `tags` are read.
        out: New `.csv`.
        console: Where progress and scores are shown; by default nowhere.
        overwrite: Whether an earlier output of this command is replaced.

    Returns:
        Number of images.

    Raises:
        InputError: Anything given cannot be used, an image cannot be read, or `out` exists.
    """
    check_target(out, overwrite=overwrite)
    agree_on_settings(config, overwrite=overwrite)
    with working_on(out, "tagging", first=connect().is_main_process):
        check_target(out, overwrite=overwrite)  # another command may have just written it
        return _tag(config, out, console)


def _tag(config: Config, out: Path, console: Console) -> int:
    """As `tag`, with a file that is held."""
    config = with_tags_precision(config)
    own_tags, bare = config.data.tags_file, untagged(config)
    require_clip_files(bare)
    dataset = open_configured(bare, console)
    listed = list_images(bare, dataset)
    true = true_tags(config, dataset.classes, listed, None if own_tags == AUTO else own_tags)
    clip = open_clip(config, console)
    memory = open_tags_memory(bare, clip, console)
    made_with = {} if memory is None else memory.record
    classes = str(asdict(dataset.classes))
    agree_on_inputs(
        seen_in(listed.images),
        CLIP=clip.sha256,
        computations=clip.computes,
        classes=classes,
        precision=config.tags.precision,
        memory=str(made_with),
    )
    tags = make_tags(config, dataset.classes, listed.images, clip, console, memory=memory)
    scores = None
    if true:
        given = {image.name: image.tags for image in tags.images}
        scores = score_tags(given, true, dataset.classes.names)
        show(scores, len(given.keys() & true.keys()), console)
    if connect().is_main_process:
        text = table(tags, dataset.classes, listed.splits if listed.column else None)
        record = make_record(config, dataset.classes, clip, tags, text, scores)
        write_json(record_path(out), {**record, **made_with})
        write_text(out, text)
    return len(tags.images)


def check_target(out: Path, *, overwrite: bool) -> None:
    """InputError unless `out` is a new `.csv`, or with `overwrite` an earlier one of ours."""
    if out.suffix.lower() != ".csv":
        raise InputError(f"--out {out}: the tags file to write must end in .csv")
    if out.is_dir() or (out.parent.exists() and not out.parent.is_dir()):
        raise InputError(f"--out {out}: cannot be written; give the path of a file")
    require_writable(record_path(out), "--out")
    if not out.exists() and not record_path(out).exists():
        return
    there = out if out.exists() else record_path(out)
    if not overwrite:
        raise InputError(f"--out: {there} exists; choose another name or add --overwrite")
    if not is_made_by_clip(out):
        raise InputError(
            f"--out: {there} was not made by weclip tag, so --overwrite does not replace it; "
            "choose another name"
        )


def record_path(out: Path) -> Path:
    """`tags.csv.json` of `tags.csv`."""
    return out.with_name(f"{out.name}.json")


def is_made_by_clip(path: Path) -> bool:
    """Whether a tags file is an output of this command, and so no truth."""
    return kind_of(record_path(path)) == KIND


def true_tags(
    config: Config, classes: ClassList, listed: Listed, tags_file: str | None
) -> dict[str, tuple[int, ...]]:
    """The data set's own tags by image name, for scores only; none where there are none.

    Raises:
        InputError: A tags file that was given cannot be used.
    """
    data = config.data
    own = open_dataset(
        data.format, data.root, classes=classes, tags_file=tags_file, choice=tags_choice(data)
    )
    try:
        path = find_tags_file(tags_file, data.root) if tags_file else None
        if path is None and data.format == "folder":
            path = describe(data.root).tags
        if path is not None and is_made_by_clip(path):
            return {}
        parts = [own.read_split(split) for split in dict.fromkeys(listed.splits.values())]
    except InputError:
        if tags_file is not None:
            raise
        return {}
    return {image.name: image.tags for part in parts for image in part}


def make_record(
    config: Config,
    classes: ClassList,
    clip: Clip,
    tags: AutoTags,
    text: str,
    scores: Scores | None,
) -> Mapping[str, object]:
    """What `out.json` holds: everything that the tags were made with, and their scores."""
    limits = None if tags.thresholds is None else tags.thresholds.tolist()
    return {
        "kind": KIND,
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
        "images": len(tags.images),
        "images_without_tags": sum(not image.tags for image in tags.images),
        "tags": sum(len(image.tags) for image in tags.images),
        "threshold": tag_threshold(config),
        "thresholds": limits and dict(zip(classes.names, limits, strict=True)),
        "scores": scores and {name: asdict(each) for name, each in scores.items()},
        "class_list": asdict(classes),
        "clip": {"name": clip.name, "sha256": clip.sha256, "computes": clip.computes},
        "config": flatten(to_yaml(config)),
        "versions": versions(),
    }


def show(scores: Scores, images: int, console: Console) -> None:
    """A table of the scores over all classes."""
    shown = Table(title=f"against the true tags of {images} images, %")
    for name in ("", "precision", "recall", "F1"):
        shown.add_column(name)
    for name in ("micro", "macro"):
        each = scores[name]
        shown.add_row(name, *(f"{100 * v:.1f}" for v in (each.precision, each.recall, each.f1)))
    console.print(shown)
