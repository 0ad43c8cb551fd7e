"""CVAT: `annotations.xml` of "CVAT for images", of tasks and of projects.

Stage 1. Source: CVAT's page on its XML. Every shape and every `<tag>` of an image names a class;
the parts of a skeleton do not. In a project an image has a `subset`, which is its split, and lies
in `images/<subset>/`. An image without any shape or tag may be finished or not.
"""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from xml.etree.ElementTree import Element

from weclip.data.tags.places import places_of
from weclip.data.tags.reading import NO_OBJECT, RawRow, Reading, TagsChoice, joined, refuse_control
from weclip.system.errors import InputError
from weclip.system.untrusted.documents import parse_xml
from weclip.system.untrusted.files import read_bytes
from weclip.system.untrusted.text import short

ROOT = "annotations"
FOLDER = "images"
DEFAULT = "default"
"""The subset that CVAT writes where none was chosen."""

_PLURALS = {
    "box": "boxes",
    "polygon": "polygons",
    "polyline": "polylines",
    "points": "points",
    "mask": "masks",
    "cuboid": "cuboids",
    "skeleton": "skeletons",
    "ellipse": "ellipses",
    "tag": "tags",
}


def read_cvat(path: Path, names: object, choice: TagsChoice) -> Reading:
    """Read an `annotations.xml`.

    Args:
        path: The file.
        names: Not needed here.
        choice: How it is read.

    Raises:
        InputError: No valid XML, no annotations of images by CVAT, or an image or shape without
            its name.
    """
    refuse_control(choice, path, "CVAT")
    root = cvat_root(path)
    images = root.findall("image")
    if root.find("track") is not None:
        raise InputError(f"{path}: tracks of a video (<track>); export as 'CVAT for images'")
    if not images:
        raise InputError(f"{path}: no <image> in it; export as 'CVAT for images'")
    default = {image.get("subset") for image in images} == {DEFAULT}
    often = Counter(image.get("name") for image in images)
    rows = [
        _row(number, image, often[image.get("name")] > 1, choice, f"{path}, image {number}")
        for number, image in enumerate(images, 1)
    ]
    rows = [replace(row, split=None) for row in rows] if default else rows
    kinds = {shape.tag for image in images for shape in image}
    found = [_PLURALS[kind] for kind in _PLURALS if kind in kinds]
    return Reading(rows, f"CVAT, {joined(found)}" if found else "CVAT")


def cvat_root(path: Path) -> Element:
    """The top of an `annotations.xml`; InputError if the file is none."""
    root = parse_xml(read_bytes(path, "tags file"), str(path))
    if root.tag == "annotation":
        raise InputError(
            f"{path}: the annotation of one image, as in PASCAL VOC; give the folder of all to "
            "weclip convert"
        )
    if root.tag != ROOT:
        raise InputError(
            f"{path}: not written by CVAT, whose XML begins with <{ROOT}>; found {short(root.tag)}"
        )
    return root


def _row(number: int, image: Element, repeated: bool, choice: TagsChoice, where: str) -> RawRow:
    name = (image.get("name") or "").strip()
    if not name:
        raise InputError(f"{where}: an image needs a name")
    tags = tuple(_label(shape, where) for shape in image if shape.get("outside") != "1")
    subset = (image.get("subset") or "").strip() or None
    left_out = NO_OBJECT if not tags and not choice.untagged else None
    folders = [FOLDER] if subset is None else [f"{FOLDER}/{subset}", subset, FOLDER]
    if subset is not None and repeated:  # only the subset tells which of the images it is
        places = tuple(place for place in places_of(name, folders) if f"{subset}/" in place)
        return RawRow(number, f"{FOLDER}/{subset}/{name}", tags, subset, places, left_out)
    return RawRow(number, name, tags, subset, places_of(name, folders), left_out)


def _label(shape: Element, where: str) -> str:
    label = (shape.get("label") or "").strip()
    if shape.tag not in _PLURALS:
        raise InputError(f"{where}: <{shape.tag}> is no shape of CVAT that is known here")
    if not label:
        raise InputError(f"{where}: a shape or tag needs its label; <{shape.tag}> has none")
    return label
