"""A class list in the header of a model, by the rules of `classes.yaml`.

Stage 1.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from weclip.data.classes import ClassList, parse_classes
from weclip.system.untrusted.text import printable


def header_of(classes: ClassList) -> dict[str, Any]:
    """What a header holds, as JSON values."""
    return asdict(classes)


def classes_of(header: Mapping[str, Any]) -> ClassList:
    """The class list of a header.

    Raises:
        InputError: As in `parse_classes`.
        KeyError: The header lacks something.
        ValueError: Its lists have other lengths than each other; or as `printable`.
    """
    items = zip(header["names"], header["prompts"], header["colours"], strict=True)
    document = {
        "classes": [{"name": n, "prompts": texts, "colour": c} for n, texts, c in items],
        "background_words": header["background_words"],
    }
    classes = parse_classes(document, "classes")
    for name in classes.names:
        printable(name)
    return classes
