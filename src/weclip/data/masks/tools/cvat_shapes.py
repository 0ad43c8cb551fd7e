"""CVAT: polygons and masks in `annotations.xml` of "CVAT for images".

Stage 1. Source: CVAT's page on its XML. Later shapes lie on earlier ones, unless `z_order` says
otherwise. An image without a shape is left out: nothing says that somebody has looked at it.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from weclip.data.classes import ClassList
from weclip.data.masks.tools.drawing import Region, cvat_runs, polygon
from weclip.data.masks.tools.imported import (
    Ids,
    ImportedMask,
    Size,
    id_of_label,
    require_same_size,
)
from weclip.data.tags.places import places_of
from weclip.data.tags.tools.cvat import FOLDER, cvat_root
from weclip.system.errors import InputError
from weclip.system.untrusted.text import short

TAG = "tag"


def read_cvat_shapes(path: Path, classes: ClassList) -> Iterator[ImportedMask]:
    """The masks of images with shapes; errors as `cvat_root`, or an image has no name."""
    for number, image in enumerate(cvat_root(path).findall("image"), 1):
        where = f"{path}, image {number}"
        name = (image.get("name") or "").strip()
        if not name:
            raise InputError(f"{where}: an image needs a name")
        shapes = [shape for shape in image if shape.tag != TAG and shape.get("outside") != "1"]
        if not shapes:
            continue
        subset = (image.get("subset") or "").strip()
        folders = [f"{FOLDER}/{subset}", subset, FOLDER] if subset else [FOLDER]
        draw = partial(_draw, image, shapes, classes, where)
        yield ImportedMask(where, places_of(name, folders), draw)


def _draw(image: Element, shapes: list[Element], classes: ClassList, where: str, size: Size) -> Ids:
    mask = np.zeros(size, np.uint8)
    try:
        given = int(image.get("height", "")), int(image.get("width", ""))
        require_same_size(given, size, where)
        for shape in sorted(shapes, key=lambda each: int(each.get("z_order", "0"))):
            mask[_region(shape, size, where)] = id_of_label(
                (shape.get("label") or "").strip(), classes, where
            )
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"{where}: {error}; export it from CVAT again") from None
    return mask


def _region(shape: Element, size: Size, where: str) -> Region:
    """The pixels of a shape; ValueError for a damaged one."""
    if shape.tag == "polygon":
        points = [each.split(",") for each in shape.get("points", "").split(";")]
        return polygon([(float(x), float(y)) for x, y in points], size)
    if shape.tag == "mask":
        left, top, width, height = (
            int(shape.get(each, "")) for each in ("left", "top", "width", "height")
        )
        return cvat_runs(shape.get("rle", ""), (left, top, width, height), size)
    raise InputError(
        f"{where}: <{short(shape.tag)[1:-1]}> is no area that a mask can be made of; draw polygons "
        "or masks, or export it from CVAT as 'Segmentation mask 1.1'"
    )
