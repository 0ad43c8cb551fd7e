"""The data set of a configuration, for all commands; and short forms of naming it.

Nothing here imports PyTorch, since `weclip check` does without it.
"""

import json
import os
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from weclip.config import Config, DataConfig
from weclip.config_changes import OVERRIDE, Change
from weclip.config_file import load_config
from weclip.data.batch import TaggedImage
from weclip.data.classes import ClassList
from weclip.data.dataset import Dataset, open_dataset
from weclip.data.images.listing import AUTO
from weclip.data.inspection.accounting import orphan_masks
from weclip.data.inspection.kinds import KINDS
from weclip.data.inspection.mask_content import content_findings, look_at_masks
from weclip.data.layouts.dataset_yaml import describe
from weclip.data.summary import first
from weclip.data.tags.reading import TagsChoice
from weclip.plugins import PluginFiles
from weclip.system.console import warnings_of
from weclip.system.errors import InputError
from weclip.system.untrusted.text import shown


@dataclass(frozen=True)
class Listed:
    """The images to tag.

    Attributes:
        images: Without tags.
        splits: Their splits by name, of all splits that were read.
        column: Whether the tags file needs a column of them.
    """

    images: list[TaggedImage]
    splits: dict[str, str]
    column: bool


def tags_choice(data: DataConfig) -> TagsChoice:
    """How the tags file of a configuration is read."""
    return TagsChoice(data.tags_control, data.untagged)


def open_configured(
    config: Config,
    console: Console | None = None,
    *,
    trains: bool = True,
    looks_at_masks: bool = True,
) -> Dataset:
    """Open the data set of a configuration, and tell what it is taken to be.

    Args:
        config: Resolved configuration; only `data` and `faithful` are read.
        console: Where it is told, once for each command; None: nothing is read yet.
        trains: Whether the training split is read; otherwise only the one with masks.
        looks_at_masks: Whether some masks are read to warn of their content.

    Raises:
        InputError: As in `open_dataset` and `read_split`; or no training image has a tag.
    """
    data = config.data
    dataset = open_dataset(
        data.format,
        data.root,
        classes=data.classes,
        tags_file=data.tags_file,
        faithful=config.faithful,
        choice=tags_choice(data),
    )
    if console is not None:
        if trains:
            require_tags(dataset, data.train_split)
        tell(dataset, console, data.train_split if trains else None, data.eval_split)
        if looks_at_masks:
            tell_of_masks(dataset, data.eval_split, data.max_pixels, console, refuse=not trains)
    return dataset


def untagged(config: Config) -> Config:
    """A copy that reads no tags of the data set."""
    return replace(config, data=replace(config.data, tags_file=AUTO))


def list_images(config: Config, dataset: Dataset) -> Listed:
    """The images of the training split and, of a folder, of the split to score on.

    In the other layouts split lists are files of their own, and scores need no tags.
    """
    data = config.data
    splits = {data.train_split: dataset.read_split(data.train_split)}
    folder = data.format == "folder"
    if folder and data.eval_split is not None:
        splits[data.eval_split] = dataset.read_split(data.eval_split)
    images = [image for part in splits.values() for image in part]
    if not images:
        raise InputError(f"{data.root}: no image in split '{data.train_split}'; add some")
    return Listed(
        images,
        {image.name: split for split, part in splits.items() for image in part},
        column=folder and [*splits] != ["train"] and describe(data.root).ratio is None,
    )


def require_tags(dataset: Dataset, split: str) -> None:
    """InputError if no image of a training split has a tag, unless CLIP makes them."""
    if dataset.tags_file == AUTO or any(image.tags for image in dataset.read_split(split)):
        return
    source = dataset.layout.origins(split).tags
    raise InputError(
        f"{source}: no image of split '{split}' has a tag, so there is nothing to learn from; tag "
        "some images, or let CLIP do it with data.tags_file=auto"
    )


def tell(dataset: Dataset, console: Console, train: str | None, scored: str | None) -> None:
    """Say what a data set is taken to be; which splits are read is for `Dataset.understood`."""
    tell_lines(dataset.understood(train, scored), console)


def tell_lines(lines: Sequence[str], console: Console) -> None:
    """Show what the data are taken to be, as it is."""
    for line in lines:
        console.print(shown(line), soft_wrap=True, markup=False, highlight=False)


def tell_precision(precision: str, device: str, console: Console) -> None:
    """Say in what the encoders compute, and where."""
    console.print(f"computing in {precision} on {device}", markup=False, highlight=False)


def open_for_model(
    data: DataConfig, trained: DataConfig, classes: ClassList, console: Console
) -> Dataset:
    """Open the data set that a model is scored on, whose ids must be the model's.

    Args:
        data: The model's configuration with the changes of this command.
        trained: The model's configuration.
        classes: The model's class list.
        console: Where it is told which classes were found, where no list gives them.

    Returns:
        The data set, read with the model's class names in their order.

    Raises:
        InputError: As in `open_dataset`; or the data set's own list has other names, or another
            order. A list that the model was trained with in place of the data set's own
            (`data.classes`) is not compared with it, nor with names that are only guessed, nor
            is one that was corrected with the tags (`data.corrected`), whose ids are the same.
    """
    moved = (data.format, data.root) != (trained.format, trained.root)
    corrected = trained.corrected is not None  # whose classes may be renamed, or more
    given = data.classes if corrected or data.classes != trained.classes else None
    where, choice = (data.format, data.root), tags_choice(data)
    model_list = replace(
        open_dataset(*where, classes=classes, tags_file=data.tags_file, choice=choice),
        source="the model's class list",
    )
    kept = data.format != "folder" or (trained.classes is not None and not moved)
    if given is None and kept:
        return _tell_scored(model_list, data, console)
    own = open_dataset(*where, classes=given, tags_file=data.tags_file, choice=choice)
    if own.guessed and trained.classes is not None:
        return _tell_scored(model_list, data, console)
    if corrected and len(own.classes.names) <= len(classes.names):
        return _tell_scored(own, data, console)
    if own.classes.names != classes.names:
        raise InputError(
            f"{given or data.root}: its classes ({_listed(own.classes)}) are not those of the "
            f"model ({_listed(classes)}), in this order; mask ids would mean something else: give "
            "the model's list with data.classes=FILE"
        )
    return _tell_scored(own, data, console)


def _tell_scored(dataset: Dataset, data: DataConfig, console: Console) -> Dataset:
    """The data set, told as one that only masks are read of."""
    tell(dataset, console, None, data.eval_split)
    tell_of_masks(dataset, data.eval_split, data.max_pixels, console, refuse=True)
    return dataset


def tell_of_masks(
    dataset: Dataset, split: str | None, max_pixels: int, console: Console, *, refuse: bool
) -> None:
    """Warn, in a line each, of masks whose content cannot be right; only some are looked at.

    Raises:
        InputError: With `refuse`: no class is drawn in any mask of the split.
    """
    samples, _ = dataset.read_eval_split(split)
    if not samples or (warnings_of(console).quiet and not refuse):
        return
    classes = dataset.classes
    seen, contents = look_at_masks(samples, num_classes=classes.num_classes, max_pixels=max_pixels)
    found = content_findings(seen, contents, classes.names)
    of = (
        f"of {len(seen)} masks looked at"
        if len(seen) < len(samples)
        else f"of {len(samples)} masks"
    )
    if refuse and "no_class_drawn" in found and len(contents) == len(samples):
        raise InputError(f"{found['no_class_drawn'][0]}: {KINDS['no_class_drawn'][1]}")
    found["orphan_masks"] = orphan_masks(dataset.layout.holdings())
    for kind, examples in found.items():
        if not examples:
            continue
        share = "" if kind == "orphan_masks" else f"; {of}"
        text = f"{KINDS[kind][1]}: {first(examples)}{share}"
        warning = f"[yellow]warning:[/] {escape(shown(text))}"
        warnings_of(console).print(warning, soft_wrap=True)


def _listed(classes: ClassList) -> str:
    return ", ".join(classes.names)


def configuration(
    config: str | None,
    data: Path | None,
    changes: Sequence[Change],
    *,
    method: str | None = None,
    unused: Collection[str] = (),
    plugins: PluginFiles = (),
) -> Config:
    """Read the configuration of a command line.

    Args:
        config: Preset or file; None: the preset `folder`, which then needs `data`.
        data: Short for `data.root=...`.
        changes: As in `load_config`.
        method: As in `load_config`.
        unused: As in `load_config`.
        plugins: As in `load_config`.

    Raises:
        InputError: As in `load_config`, or neither `config` nor `data` is given.
    """
    if config is None and data is None:
        raise InputError(
            "no data: give a folder of images or a dataset.yaml, or --config with a preset or a "
            "YAML file"
        )
    given: list[Change] = [*root_change(data), *changes]
    return load_config(config or "folder", given, method=method, unused=unused, plugins=plugins)


def root_change(data: Path | None) -> list[str]:
    """The change of the configuration that data are short for."""
    return [] if data is None else [f"data.root={json.dumps(str(data), ensure_ascii=False)}"]


def split_changes(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Tell paths among a command's arguments from changes `section.key=value`.

    What looks like a change, but is there as a file or folder, is a path.

    >>> split_changes(["photos", "data.eval_split=val", "./a=b.jpg"])
    (['photos', './a=b.jpg'], ['data.eval_split=val'])
    """
    changes = [text for text in arguments if OVERRIDE.match(text) and not os.path.lexists(text)]
    return [text for text in arguments if text not in changes], changes


def split_data(arguments: Sequence[str]) -> tuple[Path | None, list[str]]:
    """Tell the one data set among a command's arguments from changes, as `split_changes`.

    >>> split_data(["photos", "data.eval_split=val"])[1]
    ['data.eval_split=val']
    """
    paths, changes = split_changes(arguments)
    for text in filter(_is_half_a_change, paths):
        raise InputError(f"'{text}' is not of the form section.key=value")
    if len(paths) > 1:
        raise InputError(f"'{paths[1]}': one data set at a time, and changes as section.key=value")
    return (Path(paths[0]) if paths else None), changes


def _is_half_a_change(text: str) -> bool:
    """Whether a text names a key and no file, as where `=` is missing or has blanks round it."""
    sections = {each.name for each in fields(Config)}
    named = re.fullmatch(r"\w+(\.\w+)+", text) is not None and text.split(".")[0] in sections
    return named and not Path(text).exists()
