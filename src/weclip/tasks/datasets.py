"""The data set of a configuration, for all commands; and short forms of naming it.

Nothing here imports PyTorch, since `weclip check` does without it.
"""

import json
from collections.abc import Collection, Sequence
from pathlib import Path

from rich.console import Console

from weclip.config import Config, DataConfig
from weclip.config_file import OVERRIDE, load_config
from weclip.data.classes import ClassList
from weclip.data.dataset import Dataset, open_dataset
from weclip.data.tags.reading import TagsChoice
from weclip.plugins import PluginFiles
from weclip.system.errors import InputError


def tags_choice(data: DataConfig) -> TagsChoice:
    """How the tags file of a configuration is read."""
    return TagsChoice(data.tags_control, data.untagged)


def open_configured(config: Config, console: Console | None = None) -> Dataset:
    """Open the data set of a configuration, and tell which classes were found where none are given.

    Args:
        config: Resolved configuration; only `data` and `faithful` are read.
        console: Where it is told.

    Raises:
        InputError: As in `open_dataset`.
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
        _tell_classes(dataset, console)
    return dataset


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
            (`data.classes`) is not compared with it, nor with names that are only guessed.
    """
    moved = (data.format, data.root) != (trained.format, trained.root)
    given = data.classes if data.classes != trained.classes else None
    where, choice = (data.format, data.root), tags_choice(data)
    model_list = open_dataset(*where, classes=classes, tags_file=data.tags_file, choice=choice)
    if given is None and (data.format != "folder" or (trained.classes is not None and not moved)):
        return model_list
    own = open_dataset(*where, classes=given, tags_file=data.tags_file, choice=choice)
    if own.guessed is not None and trained.classes is not None:
        return model_list
    if own.classes.names != classes.names:
        raise InputError(
            f"{given or data.root}: its classes ({_listed(own.classes)}) are not those of the "
            f"model ({_listed(classes)}), in this order; mask ids would mean something else: give "
            "the model's list with data.classes=FILE"
        )
    _tell_classes(own, console)
    return own


def _tell_classes(dataset: Dataset, console: Console) -> None:
    note = dataset.note()
    if note is not None:
        console.print(note, soft_wrap=True, markup=False, highlight=False)


def _listed(classes: ClassList) -> str:
    return ", ".join(classes.names)


def configuration(
    config: str | None,
    data: Path | None,
    changes: Sequence[str],
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
            "no data: give a folder of images or a dataset.yaml (to train after --data), or "
            "--config with a preset or a YAML file"
        )
    root = [] if data is None else [f"data.root={json.dumps(str(data), ensure_ascii=False)}"]
    given = [*root, *changes]
    return load_config(config or "folder", given, method=method, unused=unused, plugins=plugins)


def split_data(arguments: Sequence[str]) -> tuple[Path | None, list[str]]:
    """Tell the one data set among a command's arguments from changes `section.key=value`.

    >>> split_data(["photos", "data.eval_split=val"])[1]
    ['data.eval_split=val']
    """
    paths = [text for text in arguments if not OVERRIDE.match(text)]
    if len(paths) > 1:
        raise InputError(f"'{paths[1]}': one data set at a time, and changes as section.key=value")
    changes = [text for text in arguments if OVERRIDE.match(text)]
    return (Path(paths[0]) if paths else None), changes
