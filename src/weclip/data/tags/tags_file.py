"""Image-level tags, the only training supervision: from annotations or from a tags file.

Stage 1. PASCAL VOC XML and COCO instances JSON belong to their layouts. A tags file is a table, CSV
or JSON lines (`tables.py`), or an export of an annotation tool (`tool_exports.py`). Boxes, masks
and counts in annotations are never looked at.
"""

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from weclip.data.classes import ClassList
from weclip.data.images.listing import image_name
from weclip.data.tags.tables import class_columns, csv_rows, jsonl_rows
from weclip.data.tags.tool_exports import coco_images, cvat_rows, json_rows
from weclip.system.errors import InputError, missing_or_wrong

TABLES = {".csv": csv_rows, ".jsonl": jsonl_rows}
READERS = TABLES | {".json": json_rows, ".xml": cvat_rows}
"""By suffix; each yields a number and the fields `image`, `tags` and perhaps `split`."""


@dataclass(frozen=True)
class TagsRow:
    """One row of a tags file.

    Attributes:
        image: The image as the file names it: a name, a file name or a relative path with `/`.
        tags: Sorted 0-based class indices; may be empty.
        split: The row's split, None in a file without splits.
        line: Line in a table, number of the image in an export, from 1.
    """

    image: str
    tags: tuple[int, ...]
    split: str | None
    line: int


def read_voc_tags(path: Path, classes: ClassList) -> tuple[int, ...]:
    """Read the tags of one image from PASCAL VOC XML: the set of `object/name`.

    Returns:
        Sorted 0-based class indices; objects marked `difficult` count.

    Raises:
        InputError: The file is missing or no XML, or names an unknown class.
    """
    try:
        annotation = ElementTree.parse(path).getroot()
    except FileNotFoundError:
        raise InputError(f"{path}: annotation not found") from None
    except (OSError, ElementTree.ParseError, ValueError, LookupError) as error:
        raise InputError(f"{path}: annotation is not valid XML ({error})") from None
    names = {(element.text or "").strip() for element in annotation.findall("object/name")}
    return tuple(sorted(classes.index_of_tag(name, str(path)) for name in names))


def read_coco_tags(path: Path, classes: ClassList) -> dict[str, tuple[int, ...]]:
    """Read the tags of all images from a COCO instances file.

    Category ids may have gaps. Categories are matched with the class list by name; if it knows
    none of the names (another language, say), by their order in the file.

    Returns:
        Image name (no suffix) -> sorted 0-based class indices, in the file's order of images,
        for images with at least one annotation.

    Raises:
        InputError: The file is missing or malformed, or has categories that the list has not.
    """
    try:
        document = json.loads(path.read_bytes())
        category_to_index = _match_categories(document["categories"], classes, path)
        return {
            image_name(image): tuple(sorted({category_to_index[key] for key in ids}))
            for image, ids in coco_images(document)
            if ids
        }
    except FileNotFoundError:
        raise InputError(f"{path}: annotations not found; give data.tags_file instead?") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not valid JSON ({error})") from None
    except (KeyError, TypeError) as error:
        raise InputError(f"{path}: not a COCO instances file: {missing_or_wrong(error)}") from None


def _match_categories(
    categories: list[dict[str, Any]], classes: ClassList, path: Path
) -> dict[int, int]:
    """Return category id -> 0-based class index."""
    known = [category["name"] in classes.names for category in categories]
    if not any(known) and len(categories) == len(classes.names):
        return {category["id"]: index for index, category in enumerate(categories)}
    return {
        category["id"]: classes.index_of_tag(category["name"], f"{path}: categories")
        for category in categories
    }


def read_tags_file(path: Path, classes: ClassList) -> list[TagsRow]:
    """Read a tags file: a table (`.csv`, `.jsonl`) or an export (`.json`, `.xml`).

    Returns:
        One row per image, in the file's order.

    Raises:
        InputError: The file cannot be read or is empty; a row names an unknown class, has no
            image, or names an image a second time. The message has the line, or the number of the
            row in an export.
    """
    state = path.stat() if path.exists() else None
    return list(_read_rows(path, classes, state and (state.st_mtime_ns, state.st_size)))


@lru_cache(maxsize=4)
def _read_rows(
    path: Path, classes: ClassList, state: tuple[int, int] | None
) -> tuple[TagsRow, ...]:
    """As `read_tags_file`; `state` tells whether the file is still the one that was read before."""
    unit = "line" if path.suffix.lower() in TABLES else "image"
    rows: list[TagsRow] = []
    first_lines: dict[str, int] = {}
    for line, row in _checked_rows(path, classes.names):
        where = f"{path}, {unit} {line}"
        tags = tuple(sorted({classes.index_of_tag(tag, where) for tag in row["tags"]}))
        rows.append(TagsRow(row["image"], tags, row["split"], line))
        first = first_lines.setdefault(rows[-1].image, line)
        if first != line:
            raise InputError(f"{where}: image '{rows[-1].image}' is already on {unit} {first}")
    return tuple(rows)


def read_tag_names(path: Path) -> list[str]:
    """Find the names that a tags file uses, where there is no class list.

    Returns:
        Sorted names, each once; the columns of a table with one for each class.

    Raises:
        InputError: The file cannot be read, is empty or has no tag; or two names differ only in
            upper and lower case, which is a slip more often than not.
    """
    names = {tag for _, row in _checked_rows(path, None) for tag in row["tags"]}
    if path.suffix.lower() == ".csv":
        names |= {*class_columns(path)}
    if not names:
        raise InputError(f"{path}: no image has a tag; there is nothing to learn from")
    seen: dict[str, str] = {}
    for name in sorted(names):
        other = seen.setdefault(name.lower(), name)
        if other != name:
            raise InputError(
                f"{path}: the tags '{other}' and '{name}' differ only in upper and lower case; "
                "write one of them, or give a class list with both"
            )
    return sorted(names)


def _checked_rows(path: Path, names: Sequence[str] | None) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield number, and `image`, `tags` and `split` of every row, of the right types."""
    suffix = path.suffix.lower()
    if suffix not in READERS:
        raise InputError(f"{path}: a tags file must end in {', '.join(READERS)}")
    unit = "line" if suffix in TABLES else "image"
    line = 0
    try:
        for line, row in READERS[suffix](path, names):
            yield line, _checked(row, f"{path}, {unit} {line}")
    except FileNotFoundError:
        raise InputError(f"{path}: tags file not found") from None
    except OSError as error:
        raise InputError(f"{path}: tags file cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise InputError(
            f"{path}: tags file cannot be read as UTF-8 text; save it as UTF-8"
        ) from None
    except csv.Error as error:
        raise InputError(f"{path}: tags file is not valid CSV ({error})") from None
    if not line:
        raise InputError(f"{path}: tags file has no rows")


def read_tags_by_name(path: Path, classes: ClassList) -> dict[str, tuple[int, ...]]:
    """Read a tags file for a layout whose image names are unique without folder and suffix.

    Returns:
        Image name -> sorted 0-based class indices.

    Raises:
        InputError: As `read_tags_file`; or two rows have the same name.
    """
    tags: dict[str, tuple[int, ...]] = {}
    for row in read_tags_file(path, classes):
        name = image_name(row.image)
        if name in tags:
            raise InputError(f"{path}, line {row.line}: a second row for the image name '{name}'")
        tags[name] = row.tags
    return tags


def _checked(row: dict[str, Any], where: str) -> dict[str, Any]:
    """Check one row's values."""
    image, tags, split = row["image"], row["tags"], row.get("split")
    if not isinstance(image, str) or not image.strip():
        raise InputError(f"{where}: 'image' must be a file name, not {image!r}")
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise InputError(f"{where}: 'tags' must be a list of class names, not {tags!r}")
    if split is not None and (not isinstance(split, str) or not split.strip()):
        raise InputError(f"{where}: 'split' must be a name such as train or val, not {split!r}")
    return {"image": image.strip(), "tags": tags, "split": split and split.strip()}
