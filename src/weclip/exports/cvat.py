"""Masks as CVAT's "Segmentation mask 1.1": a zip of PASCAL VOC masks in the class colours."""

import io
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import numpy as np
from PIL import Image

from weclip.data.masks.colours import BACKGROUND_COLOUR, VOC_COLOURS, VOID_COLOUR
from weclip.exports.labelled import Labelled, Mask
from weclip.exports.names import LIST
from weclip.system.files import write_atomically

CVAT_NAME = "cvat.zip"


def export_cvat(labelled: Labelled) -> Path:
    """Write `cvat.zip`, to be uploaded as annotations; unsure pixels have a label of their own.

    Each class of an image is one object, so that background becomes none.

    Returns:
        The file.
    """
    path = labelled.out / CVAT_NAME

    def write(temporary: Path) -> None:
        with ZipFile(temporary, "w") as archive:
            _add(archive, "labelmap.txt", _label_map(labelled).encode())
            names = "".join(f"{image.name}\n" for image in labelled.images)
            _add(archive, LIST, names.encode())
            for image, mask in labelled.masks():
                colours = labelled.classes.palette[mask]
                _add(archive, f"SegmentationClass/{image.name}.png", _png(colours))
                _add(archive, f"SegmentationObject/{image.name}.png", _png(_objects(mask)))

    write_atomically(path, write)
    return path


def _label_map(labelled: Labelled) -> str:
    colours = {"background": BACKGROUND_COLOUR}
    colours |= dict(zip(labelled.classes.names, labelled.classes.colours, strict=True))
    colours[labelled.unsure] = VOID_COLOUR
    rows = [f"{name}:{r},{g},{b}::\n" for name, (r, g, b) in colours.items()]
    return "".join(["# label:color_rgb:parts:actions\n", *rows])


def _objects(mask: Mask) -> Mask:
    """(H, W, 3) PASCAL colours of the numbers 1, 2, ... of the ids in a mask but 0."""
    ids = np.array([0, *np.setdiff1d(np.unique(mask), [0])])
    return VOC_COLOURS[np.searchsorted(ids, mask)]


def _png(colours: Mask) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(colours).save(buffer, "PNG")
    return buffer.getvalue()


def _add(archive: ZipFile, name: str, content: bytes) -> None:
    """A member without the time of day, so that the same masks give the same zip."""
    archive.writestr(ZipInfo(name), content, ZIP_DEFLATED)
