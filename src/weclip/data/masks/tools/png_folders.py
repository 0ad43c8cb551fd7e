"""Folders of masks as PNGs of ids or colours, and CVAT's "Segmentation mask 1.1".

Stage 1. The mask of `beach/1.jpg` is `beach/1.png`. CVAT's `labelmap.txt` says in lines
`label:red,green,blue:parts:actions` which colour is which label.
"""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from weclip.data.batch import MaskLabels
from weclip.data.classes import ClassList
from weclip.data.masks.colours import RGB
from weclip.data.masks.mask_files import read_mask
from weclip.data.masks.mask_labels import mask_labels
from weclip.data.masks.tools.imported import (
    Ids,
    ImportedMask,
    Size,
    id_of_label,
    require_same_size,
)
from weclip.data.tags.places import places_of
from weclip.system.errors import InputError
from weclip.system.untrusted.files import is_folder, read_text
from weclip.system.untrusted.text import short

LABEL_MAP = "labelmap.txt"
CVAT_MASKS = "SegmentationClass"
_ROW = re.compile(r"(.+):(\d{1,3}),(\d{1,3}),(\d{1,3}):[^:]*:[^:]*")


def read_pngs(folder: Path, classes: ClassList) -> Iterator[ImportedMask]:
    """The masks in a folder and the folders in it, by their names."""
    return _read(folder, mask_labels(classes), classes)


def read_cvat_masks(folder: Path, classes: ClassList) -> Iterator[ImportedMask]:
    """The masks of CVAT's "Segmentation mask 1.1".

    Raises:
        InputError: There are no masks in it, or a label is no class.
    """
    if not is_folder(folder / CVAT_MASKS):
        raise InputError(
            f"{folder}: {LABEL_MAP}, but no folder {CVAT_MASKS}; export it from CVAT as "
            "'Segmentation mask 1.1'"
        )
    return _read(folder / CVAT_MASKS, read_label_map(folder / LABEL_MAP, classes), classes)


def read_label_map(path: Path, classes: ClassList) -> MaskLabels:
    """What the colours of CVAT's masks stand for.

    Raises:
        InputError: A line is no label with its colour, a label is no class, or two have a colour.
    """
    colours: dict[RGB, int] = {}
    for number, line in enumerate(read_text(path, LABEL_MAP).splitlines(), 1):
        where = f"{path}, line {number}"
        if not line.strip() or line.startswith("#"):
            continue
        found = _ROW.fullmatch(line.rstrip())
        if found is None:
            raise InputError(f"{where}: {short(line)} is not 'label:red,green,blue::'")
        colour = (int(found[2]), int(found[3]), int(found[4]))
        if colour in colours:
            raise InputError(f"{where}: the colour of {short(found[1])} is another label's too")
        colours[colour] = id_of_label(found[1], classes, where)
    if not colours:
        raise InputError(f"{path}: no label in it; export it from CVAT again")
    return MaskLabels(colours=tuple(colours.items()), palettes_by_colour=True)


def _read(folder: Path, labels: MaskLabels, classes: ClassList) -> Iterator[ImportedMask]:
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() != ".png" or path.name.startswith("."):
            continue
        files = places_of(path.relative_to(folder).as_posix())
        draw = partial(_mask, path, labels, classes.num_classes)
        yield ImportedMask(str(path), files, draw)


def _mask(path: Path, labels: MaskLabels, num_classes: int, size: Size) -> Ids:
    mask = read_mask(path, labels=labels, num_classes=num_classes)
    require_same_size((mask.shape[0], mask.shape[1]), size, str(path))
    return mask
