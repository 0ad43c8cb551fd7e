"""Which tool wrote a file or folder of masks, told by what it holds.

Stage 1.
"""

from collections.abc import Iterator
from pathlib import Path

from weclip.data.classes import ClassList
from weclip.data.masks.tools.cvat_shapes import read_cvat_shapes
from weclip.data.masks.tools.imported import ImportedMask
from weclip.data.masks.tools.label_studio_regions import read_label_studio
from weclip.data.masks.tools.png_folders import LABEL_MAP, read_cvat_masks, read_pngs
from weclip.system.errors import InputError
from weclip.system.untrusted.files import is_file, is_folder

CVAT_XML = "annotations.xml"
KNOWN = (
    "CVAT's 'Segmentation mask 1.1' or 'CVAT for images', Label Studio's JSON, or a folder of PNGs"
)


def read_masks(source: Path, classes: ClassList) -> tuple[str, Iterator[ImportedMask]]:
    """Read what a tool wrote; masks are drawn later, one at a time.

    Args:
        source: A folder, or a file `.xml` or `.json`.
        classes: Class list of the data, which labels are looked up in.

    Returns:
        What it is, for people, and its masks.

    Raises:
        InputError: It is none of what is known.
    """
    if is_folder(source):
        return _read_folder(source, classes)
    readers = {".xml": ("CVAT, shapes", read_cvat_shapes), ".json": LABEL_STUDIO}
    found = readers.get(source.suffix.lower()) if is_file(source) else None
    if found is None:
        raise InputError(f"{source}: no masks here; give {KNOWN}")
    return found[0], found[1](source, classes)


LABEL_STUDIO = ("Label Studio, regions", read_label_studio)


def _read_folder(folder: Path, classes: ClassList) -> tuple[str, Iterator[ImportedMask]]:
    if is_file(folder / LABEL_MAP):
        return "CVAT, masks", read_cvat_masks(folder, classes)
    if is_file(folder / CVAT_XML):
        return "CVAT, shapes", read_cvat_shapes(folder / CVAT_XML, classes)
    if any(path.suffix.lower() == ".png" for path in folder.rglob("*")):
        return "PNGs", read_pngs(folder, classes)
    tasks = sorted(folder.glob("*.json"))
    if len(tasks) == 1:
        return LABEL_STUDIO[0], LABEL_STUDIO[1](tasks[0], classes)
    raise InputError(f"{folder}: no masks in it; give {KNOWN}")
