"""Masks as polygons for Ultralytics: a text file for each image, and `data.yaml`."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import yaml

from weclip.data.masks.outlines import outlines
from weclip.exports.labelled import Labelled, Mask, foreground, link_image, write_lines
from weclip.system.files import write_folder_atomically, write_text

YOLO_NAME = "yolo"


def export_yolo(labelled: Labelled) -> Path:
    """Write `yolo/`: `data.yaml`, `images/` (hard links) and `labels/`.

    Classes count from 0 without background. A line is one 4-connected part of a class, along the
    edges of its pixels; unsure pixels (255) are in none, as background.

    Returns:
        The folder.
    """

    def write(folder: Path) -> None:
        for image, mask in labelled.masks():
            place = PurePosixPath("images", image.file_name)
            link_image(image, folder / place)
            write_lines(folder / label_file(place), polygon_lines(mask))
        names = dict(enumerate(labelled.classes.names))
        document = {"train": "images", "val": "images", "names": names}
        text = yaml.safe_dump(document, allow_unicode=True, sort_keys=False)
        write_text(folder / "data.yaml", text)

    return write_folder_atomically(labelled.out / YOLO_NAME, write)


def label_file(image: PurePosixPath) -> PurePosixPath:
    """Where Ultralytics looks for an image's labels: the last folder `images` becomes `labels`.

    >>> label_file(PurePosixPath("images/beach/a.jpg")).as_posix()
    'labels/beach/a.txt'
    """
    folders = list(image.parts[:-1])
    last = len(folders) - 1 - folders[::-1].index("images")
    folders[last] = "labels"
    return PurePosixPath(*folders, f"{image.stem}.txt")


def polygon_lines(mask: Mask) -> Iterator[str]:
    """`class x y x y ...` of each part of each class, x and y as shares of width and height."""
    height, width = mask.shape
    for class_id in foreground(mask):
        for corners in outlines(mask == class_id):
            shares = (corners / (width, height)).ravel().tolist()
            yield f"{class_id - 1} {' '.join(f'{share:.7g}' for share in shares)}"
