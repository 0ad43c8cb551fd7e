"""What ids and colours in masks stand for: a class list's own, changed by a user's map.

Stage 1, for evaluation; training never imports this module. The map, as YAML gives it, merges
classes or leaves them out of the scores; what it does not name keeps its meaning:

    7: dog                    # raw id, in masks of ids
    '#8000FF': dog            # or colour, in masks of colours
    12: background
    '#FFFFFF': ignore
"""

from typing import Any

from weclip.data.batch import IGNORE_INDEX, MaskLabels
from weclip.data.classes import ClassList
from weclip.data.masks.colours import (
    BACKGROUND_COLOUR,
    RGB,
    VOID_COLOUR,
    colour_text,
    parse_colour,
)
from weclip.system.errors import InputError, did_you_mean
from weclip.system.untrusted.text import short

BACKGROUND, IGNORE = "background", "ignore"


def mask_labels(classes: ClassList) -> MaskLabels:
    """The class list's own ids and colours; black is background, PASCAL's void colour is 255."""
    return MaskLabels(colours=tuple(_own_colours(classes).items()))


def parse_mask_labels(document: Any, classes: ClassList, where: str) -> MaskLabels:
    """Read a map from raw ids and colours to classes (format: see the module).

    Args:
        document: Mapping of an id 0 to 255 or `'#RRGGBB'` to a class name, `background` or
            `ignore`. If it names colours only, palette PNGs are read by their colours too.
        classes: The class list; a class of it named `ignore` comes before the word.
        where: What error messages start with: the file, and the place in it.

    Raises:
        InputError: The document is no such mapping, or names a colour twice or an unknown class.

    >>> from weclip.data.classes import load_classes
    >>> parse_mask_labels({7: "dog", 40: "ignore"}, load_classes("voc"), "dataset.yaml").ids
    ((7, 12), (40, 255))
    """
    if not isinstance(document, dict) or not document:
        raise InputError(
            f"{where}: expected ids or colours with what they stand for, such as '7: dog'"
        )
    targets = {IGNORE: IGNORE_INDEX, BACKGROUND: 0}
    targets |= {name: class_id for class_id, name in enumerate(classes.names, 1)}
    ids: dict[int, int] = {}
    colours: dict[RGB, int] = {}
    for key, name in document.items():
        target = _target(name, targets, f"{where}: {short(key)}")
        if type(key) is int and 0 <= key <= 255:
            ids[key] = target
            continue
        colour = _colour(key, where)
        if colour in colours:
            raise InputError(f"{where}: colour {colour_text(colour)} appears twice")
        colours[colour] = target
    return MaskLabels(
        colours=tuple((_own_colours(classes) | colours).items()),
        ids=tuple(ids.items()),
        palettes_by_colour=not ids,
    )


def _own_colours(classes: ClassList) -> dict[RGB, int]:
    own = {colour: class_id for class_id, colour in enumerate(classes.colours, 1)}
    return {BACKGROUND_COLOUR: 0, VOID_COLOUR: IGNORE_INDEX} | own


def _target(name: Any, targets: dict[str, int], where: str) -> int:
    if not isinstance(name, str) or name not in targets:
        allowed = f"give a class name, '{BACKGROUND}' or '{IGNORE}'"
        hint = did_you_mean(name[:99], targets) if isinstance(name, str) else ""
        raise InputError(f"{where}: unknown class {short(name)}; {hint or allowed}")
    return targets[name]


def _colour(key: Any, where: str) -> RGB:
    try:
        return parse_colour(key, where)
    except InputError:
        raise InputError(
            f"{where}: {short(key)} is neither an id 0 to 255 nor a colour; "
            "write a colour as '#RRGGBB' in quotes"
        ) from None
