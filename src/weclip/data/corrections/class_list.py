"""`corrected/classes.yaml`: the classes of corrected masks and tags. Ids never change.

Stage 1. An ordinary class list (`data/classes.py`). Its first classes are those of the data, by
id; one may have another name, which a line `class` of the log tells. New classes follow.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from weclip.data.classes import CLASSES_FILE, ClassList, parse_classes
from weclip.data.corrections.log import CLASS, Action
from weclip.data.masks.colours import RGB, VOC_COLOURS, VOID_COLOUR
from weclip.system.errors import InputError
from weclip.system.files import write_text
from weclip.system.untrusted.files import is_file


def read_classes(folder: Path, classes: ClassList, log: Sequence[Action]) -> ClassList:
    """The classes of a folder of corrections.

    Prompts of classes that keep their names, and background words, are those of the data.

    Args:
        folder: The folder; without a list in it, the classes are those of the data.
        classes: Of the data that were corrected.
        log: The folder's.

    Raises:
        InputError: The list cannot be read, or is not the data's with new or renamed classes.
    """
    path = folder / CLASSES_FILE
    if not is_file(path):
        return classes
    found = ClassList.from_file(path)
    old = old_names(log)
    prompts = list(found.prompts)
    for index, name in enumerate(classes.names):
        now = found.names[index] if index < len(found.names) else None
        if now != name and index + 1 not in (old.get(name) or ()):
            raise InputError(
                f"{path}: its class {index + 1} is '{now or 'missing'}', that of the data is "
                f"'{name}'; these corrections are of other classes: give the class list that they "
                "were made with (data.classes=FILE)"
            )
        if now == name:
            prompts[index] = classes.prompts[index]
    return replace(found, prompts=tuple(prompts), background_words=classes.background_words)


def old_names(log: Sequence[Action]) -> dict[str, set[int]]:
    """Names that classes had before they were renamed -> ids that had them."""
    old: dict[str, set[int]] = {}
    for action in log:
        what = action.what
        if action.action != CLASS or not isinstance(what, dict):
            continue
        was, class_id = what.get("was"), what.get("id")
        if isinstance(was, str) and isinstance(class_id, int):
            old.setdefault(was, set()).add(class_id)
    return old


def with_old_names(classes: ClassList, log: Sequence[Action]) -> tuple[ClassList, list[int]]:
    """A list that also knows old names, and the 0-based index that each of its names means.

    A killed server can have renamed a class in the list, and not yet in the table of tags.
    """
    known = set(classes.names)
    count = len(classes.names)
    old = [
        (name, min(ids) - 1)
        for name, ids in old_names(log).items()
        if name not in known and 0 < min(ids) <= count
    ]
    whole = ClassList(
        (*classes.names, *(name for name, _ in old)),
        (*classes.prompts, *((name,) for name, _ in old)),
        classes.background_words,
        (*classes.colours, *(VOID_COLOUR for _ in old)),
    )
    return whole, [*range(count), *(index for _, index in old)]


def write_classes(folder: Path, classes: ClassList) -> None:
    """Write the list whole or not at all."""
    entries = [
        {"name": name, "prompts": list(prompts), "colour": list(colour)}
        for name, prompts, colour in zip(
            classes.names, classes.prompts, classes.colours, strict=True
        )
    ]
    document = {"classes": entries} | _words(classes)
    text = yaml.safe_dump(document, allow_unicode=True, sort_keys=False, default_flow_style=None)
    write_text(folder / CLASSES_FILE, text)


def with_new(classes: ClassList, name: str) -> ClassList:
    """The list with one more class; InputError if the name is taken or cannot be one."""
    new = replace(
        classes,
        names=(*classes.names, name),
        prompts=(*classes.prompts, (_prompt(name),)),
        colours=(*classes.colours, _free_colour(classes)),
    )
    return _checked(new, name)


def with_renamed(classes: ClassList, class_id: int, name: str) -> ClassList:
    """The list with another name for a class; a prompt that was its name follows it."""
    index = class_id - 1
    names, prompts = [*classes.names], [*classes.prompts]
    if prompts[index] == (_prompt(names[index]),):
        prompts[index] = (_prompt(name),)
    names[index] = name
    return _checked(replace(classes, names=tuple(names), prompts=tuple(prompts)), name)


def _prompt(name: str) -> str:
    return name.replace("_", " ")


def _free_colour(classes: ClassList) -> RGB:
    """PASCAL's colour of the new id, or the next that no class has."""
    taken = {*classes.colours, VOID_COLOUR, (0, 0, 0)}
    wanted = [*range(classes.num_classes, 255), *range(1, classes.num_classes)]
    free = ((r, g, b) for r, g, b in VOC_COLOURS[wanted].tolist() if (r, g, b) not in taken)
    return next(free)


def _checked(classes: ClassList, name: str) -> ClassList:
    """The list, as it would be read; InputError names the class."""
    entries = [
        {"name": each, "prompts": list(prompts)}
        for each, prompts in zip(classes.names, classes.prompts, strict=True)
    ]
    parse_classes({"classes": entries} | _words(classes), f"class '{name[:60]}'")
    return classes


def _words(classes: ClassList) -> dict[str, Any]:
    """The background words as in a file, which has none rather than an empty list."""
    words = list(classes.background_words)
    return {"background_words": words} if words else {}
