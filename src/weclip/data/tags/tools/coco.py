"""COCO annotations, as COCO, Roboflow, CVAT, Datumaro and FiftyOne write them.

Stage 1. Tags are the categories of an image's annotations, whatever their shape. Categories that no
annotation has, such as Roboflow's first one, which names the project, are none. Images lie beside
the file, or in `images/` or `data/`.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from weclip.data.tags.places import places_of
from weclip.data.tags.reading import (
    NO_OBJECT,
    RawRow,
    Reading,
    TagsChoice,
    refuse_control,
    text_of,
)
from weclip.system.errors import InputError

FOLDERS = ("images", "data")


def read_coco(document: dict[str, Any], path: Path, choice: TagsChoice) -> Reading:
    """Read a parsed COCO file.

    Raises:
        InputError: It has no categories, an id twice, or captions or panoptic segments.
        KeyError, TypeError, AttributeError: Something is missing or of a wrong type.
    """
    refuse_control(choice, path, "COCO")
    names = _names(document, path)
    subset = re.fullmatch(r"[a-z_]+_(.+)", path.stem)
    inside = [f"images/{subset[1]}", subset[1]] if subset else []
    rows = []
    for number, (image, ids) in enumerate(coco_images(document, path), 1):
        tags = tuple(sorted(names[key] for key in ids))
        left_out = NO_OBJECT if not tags and not choice.untagged else None
        places = (image, *places_of(image, [*inside, *FOLDERS]))
        rows.append(RawRow(number, image, tags, None, tuple(dict.fromkeys(places)), left_out))
    return Reading(rows, "COCO, categories of annotations")


def coco_images(document: dict[str, Any], path: Path) -> Iterator[tuple[str, set[int]]]:
    """Yield file name and category ids of every image of a parsed COCO file, in its order.

    Raises:
        InputError: Two images have the same id; or an annotation has no category.
        KeyError, TypeError: Something is missing or of the wrong type.
    """
    categories: dict[int, set[int]] = {}
    for image in document["images"]:
        if image["id"] in categories:
            raise InputError(f"{path}: two images have the id {image['id']}; number them anew")
        categories[image["id"]] = set()
    for annotation in document["annotations"]:
        if "category_id" not in annotation and "segments_info" in annotation:
            raise InputError(f"{path}: panoptic segments; give the instances file in their place")
        categories[annotation["image_id"]].add(annotation["category_id"])
    for image in document["images"]:
        yield text_of(image, "file_name"), categories[image["id"]]


def _names(document: dict[str, Any], path: Path) -> dict[int, str]:
    """Names of categories by id."""
    if "categories" not in document and any("caption" in a for a in document["annotations"]):
        raise InputError(f"{path}: captions; give the instances file in their place")
    names: dict[int, str] = {}
    for category in document["categories"]:
        key, name = category["id"], text_of(category, "name")
        if names.setdefault(key, name) != name:
            raise InputError(
                f"{path}: the categories '{names[key]}' and '{name}' have the same id {key}"
            )
    return names
