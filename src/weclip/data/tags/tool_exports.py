"""Tags that annotation tools export: FiftyOne, Label Studio, CVAT, and COCO's JSON.

Stage 1. Sources: the format pages of the tools. Only what is said of whole images is read: FiftyOne
classifications, Label Studio choices, CVAT image tags, the categories of COCO annotations.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree

from weclip.system.errors import InputError, missing_or_wrong

Rows = Iterator[tuple[int, dict[str, Any]]]


def json_rows(path: Path, names: Sequence[str] | None) -> Rows:
    """Yield number and fields of the images of a FiftyOne, Label Studio or COCO file.

    Args:
        path: `labels.json` of a FiftyOne image classification data set, the `.json` of a Label
            Studio project, or COCO annotations with categories.
        names: Class names; not needed here.

    Raises:
        InputError: No valid JSON, or none of the three.
    """
    try:
        document = json.loads(path.read_bytes())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not valid JSON ({error})") from None
    try:
        if isinstance(document, list):
            yield from enumerate(map(_label_studio_row, document), 1)
        elif "categories" in document:
            yield from enumerate(_coco_rows(document), 1)
        else:
            yield from enumerate(_fiftyone_rows(document), 1)
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise InputError(
            f"{path}: no FiftyOne classifications, Label Studio choices or COCO annotations: "
            f"{missing_or_wrong(error)}"
        ) from None


def cvat_rows(path: Path, names: Sequence[str] | None) -> Rows:
    """Yield number and fields of the images of a CVAT export ("CVAT for images", `<tag>`).

    Args:
        path: `annotations.xml`.
        names: Class names; not needed here.

    Raises:
        InputError: No valid XML, no `<image>`, or an image or tag without its name.
    """
    try:
        root = ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise InputError(f"{path}: not valid XML ({error})") from None
    images = list(root.iter("image"))
    if not images:
        raise InputError(f"{path}: no <image> in it; export as 'CVAT for images'")
    for number, image in enumerate(images, 1):
        tags = [tag.get("label") for tag in image.iter("tag")]
        if image.get("name") is None or None in tags:
            raise InputError(f"{path}, image {number}: an image needs a name, a tag its label")
        row: dict[str, Any] = {"image": image.get("name"), "tags": tags}
        yield number, row if image.get("subset") is None else row | {"split": image.get("subset")}


def _fiftyone_rows(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Images in `data/`, without suffix; a label is a number, name or object, or a list of them."""
    classes = document.get("classes")
    for image, labels in document["labels"].items():
        listed = labels if isinstance(labels, list) else [] if labels is None else [labels]
        yield {
            "image": f"data/{image}",
            "tags": [_fiftyone_name(label, classes) for label in listed],
        }


def _fiftyone_name(label: Any, classes: Sequence[str] | None) -> str:
    if isinstance(label, dict):
        label = label["label"]
    if isinstance(label, int) and not isinstance(label, bool):
        if classes is None or not 0 <= label < len(classes):
            raise IndexError(label)
        label = classes[label]
    return str(label)


def coco_images(document: dict[str, Any]) -> Iterator[tuple[str, set[int]]]:
    """Yield file name and category ids of every image of a parsed COCO file, in its order.

    Raises:
        KeyError, TypeError: Something is missing or of the wrong type.
    """
    categories: dict[int, set[int]] = {image["id"]: set() for image in document["images"]}
    for annotation in document["annotations"]:
        categories[annotation["image_id"]].add(annotation["category_id"])
    for image in document["images"]:
        yield image["file_name"], categories[image["id"]]


def _coco_rows(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All images with the names of their annotations' categories."""
    names = {category["id"]: category["name"] for category in document["categories"]}
    for image, ids in coco_images(document):
        yield {"image": image, "tags": [names[key] for key in ids]}


def _label_studio_row(task: dict[str, Any]) -> dict[str, Any]:
    """The choices of all annotators of one task; cancelled annotations do not count."""
    tags = [
        choice
        for annotation in task["annotations"]
        if not annotation.get("was_cancelled")
        for result in annotation["result"]
        if result["type"] == "choices"
        for choice in result["value"]["choices"]
    ]
    return {"image": _file_of(task["data"]["image"]), "tags": tags}


def _file_of(url: str) -> str:
    """The file that a task shows: Label Studio's local storage gives it as `?d=path`.

    >>> _file_of("/data/local-files/?d=beach/1.jpg"), _file_of("/data/upload/3/1%20a.jpg")
    ('beach/1.jpg', '1 a.jpg')
    """
    parts = urlsplit(url)
    if local := parse_qs(parts.query).get("d"):
        return local[0]
    if not parts.scheme and not url.startswith("/"):
        return url
    return unquote(PurePosixPath(parts.path).name)
