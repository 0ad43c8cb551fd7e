"""Image-level tags from the annotations of the VOC and COCO layouts.

Stage 1. Boxes, masks and counts in annotations are never looked at.
"""

from pathlib import Path

from weclip.data.classes import ClassList
from weclip.data.images.listing import image_name
from weclip.data.tags.tools.coco import coco_images
from weclip.system.errors import InputError, missing_or_wrong
from weclip.system.untrusted.documents import parse_json, parse_xml
from weclip.system.untrusted.files import read_bytes
from weclip.system.untrusted.text import short


def read_voc_tags(path: Path, classes: ClassList) -> tuple[int, ...]:
    """Read the tags of one image from PASCAL VOC XML: the set of `object/name`.

    Returns:
        Sorted 0-based class indices; objects marked `difficult` count.

    Raises:
        InputError: The file is missing, no XML or another one, or names an unknown class.
    """
    content = read_bytes(path, "annotation")
    annotation = parse_xml(content, str(path), "annotation is not valid XML")
    if annotation.tag != "annotation":
        raise InputError(
            f"{path}: no annotation of PASCAL VOC, which begins with <annotation>; found "
            f"{short(annotation.tag)}"
        )
    objects = annotation.findall("object")
    names = {(each.findtext("name") or "").strip() for each in objects}
    if "" in names:
        raise InputError(f"{path}: an <object> needs its <name>")
    return tuple(sorted(classes.index_of_tag(name, str(path)) for name in names))


def read_coco_tags(path: Path, classes: ClassList) -> dict[str, tuple[int, ...]]:
    """Read the tags of all images from a COCO instances file.

    Category ids may have gaps. Categories are matched with the class list by name; those that no
    annotation has may be unknown.

    Returns:
        Image name (no suffix) -> sorted 0-based class indices, in the file's order of images,
        for images with at least one annotation.

    Raises:
        InputError: The file is missing or malformed, or has categories that the list has not.
    """
    if not path.exists():
        raise InputError(f"{path}: annotations not found; give data.tags_file instead?")
    document = parse_json(read_bytes(path, "annotations"), str(path))
    try:
        names = {category["id"]: category["name"] for category in document["categories"]}
        images = [(image_name(image), ids) for image, ids in coco_images(document, path) if ids]
        used = sorted({key for _, ids in images for key in ids})
        indices = {key: classes.index_of_tag(names[key], f"{path}: categories") for key in used}
    except (KeyError, TypeError) as error:
        raise InputError(f"{path}: not a COCO instances file: {missing_or_wrong(error)}") from None
    return {image: tuple(sorted({indices[key] for key in ids})) for image, ids in images}
