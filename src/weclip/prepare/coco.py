"""MS COCO 2014 in the layout of `weclip.data.layouts.coco`, with masks made of its instances.

The masks follow the rule of coco2voc, the tool that the paper names: polygons, run lengths and
crowds count alike, and where instances overlap the one with the smaller `area` wins. Class ids are
1 to 80 in the order of the category list, whose own ids have gaps. COCO publishes no checksums:
what is fetched is checked by its length and, member by member, by the CRCs inside the zip.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from weclip.data.batch import IGNORE_INDEX
from weclip.data.images.file_names import require_usable
from weclip.data.images.listing import image_name, list_names
from weclip.data.masks.mask_files import save_mask
from weclip.data.masks.run_lengths import require_runs
from weclip.prepare.archives import Archives
from weclip.prepare.coco_shapes import polygons_of, require_area, require_size
from weclip.prepare.extra import require_extra
from weclip.prepare.parallel import for_each
from weclip.prepare.unpack import unpack_once
from weclip.system.errors import InputError
from weclip.system.files import write_json, write_text
from weclip.system.untrusted.documents import parse_json, read_json
from weclip.system.untrusted.files import read_bytes
from weclip.system.untrusted.text import one_line

KEYS = ("coco_annotations", "coco_train", "coco_val")
"""Files that are needed."""

Annotation = dict[str, Any]
"""An instance: `category_id`, `area` (pixels) and `segmentation`."""

_INSIDE = "MSCOCO"
_SPLITS = ("train", "val")
_BORDER = 7  # pixels, side of the maximum filter
_SETTINGS = "prepared.json"
LONGEST_NAME = 250
"""Bytes; disks allow 255, and the ending comes to it."""


class _Mask(NamedTuple):
    """A mask to be made.

    Attributes:
        path: Where to.
        annotations: Instances of the image, in the file's order.
        size: Height and width.
        class_ids: Category id -> class id.
        void_border: Whether instances get a border.
    """

    path: Path
    annotations: list[Annotation]
    size: tuple[int, int]
    class_ids: dict[int, int]
    void_border: bool


def prepare_coco(root: Path, archives: Archives, *, void_border: bool = False) -> Path:
    """Fetch, unpack and convert whatever is still missing.

    Args:
        root: Folder that gets MSCOCO.
        archives: Where the archives come from.
        void_border: Mark a border of 3 pixels round every instance as ignored.

    Returns:
        The folder MSCOCO.

    Raises:
        InputError: A package is not installed, an archive cannot be had or used, or masks that
            are there were made otherwise.
    """
    require_extra("scipy", "pycocotools")
    folder = root / _INSIDE
    _claim_masks(folder / "SegmentationClass", void_border)
    files = [f"annotations/instances_{split}2014.json" for split in _SPLITS]
    _unpack("coco_annotations", folder, {name: name for name in files}, archives)
    for split in _SPLITS:
        _unpack(f"coco_{split}", folder, {f"{split}2014/": f"JPEGImages/{split}/"}, archives)
    for split in _SPLITS:
        _make_masks(folder, split, archives, void_border)
    return folder


def mask_of_instances(
    annotations: list[Annotation],
    size: tuple[int, int],
    class_ids: dict[int, int],
    *,
    void_border: bool = False,
) -> NDArray[np.uint8]:
    """Draw the instances of an image; of equal areas the earlier one wins.

    Args:
        annotations: Instances.
        size: Height and width in pixels.
        class_ids: Category id -> class id.
        void_border: Set to 255 what lies outside an instance and within 3 pixels of it, along
            either axis (the difference of a 7 x 7 maximum filter), inside other instances too.

    Returns:
        (H, W) uint8 class ids, 0 where there is no instance.
    """
    from scipy.ndimage import maximum_filter

    mask = np.zeros(size, np.uint8)  # (H, W)
    border = np.zeros(size, np.bool_)
    for annotation in sorted(annotations, key=require_area)[::-1]:  # the smaller, the later drawn
        inside = _decode(annotation["segmentation"], size)
        mask[inside] = class_ids[annotation["category_id"]]
        if void_border:
            border |= maximum_filter(inside, size=_BORDER) & ~inside
    mask[border] = IGNORE_INDEX
    return mask


def _decode(segmentation: Any, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Pixels of an instance, (H, W): from polygons, or run lengths, compressed or not."""
    from pycocotools import mask as coco_mask

    if isinstance(segmentation, list):
        polygons = polygons_of(segmentation)
        if not polygons:
            return np.zeros(size, np.bool_)
        runs = coco_mask.merge(coco_mask.frPyObjects(polygons, *size))
    elif not isinstance(segmentation, dict):
        raise ValueError("a shape that is neither polygons nor run lengths")
    else:
        require_runs(segmentation, size)
        runs = segmentation
        if isinstance(segmentation["counts"], list):
            runs = coco_mask.frPyObjects(segmentation, *size)
    return np.asarray(coco_mask.decode(runs), np.bool_)


def _unpack(key: str, folder: Path, wanted: dict[str, str], archives: Archives) -> None:
    receipt = archives.folder / f"{key}.unpacked.json"
    unpack_once(lambda: archives.get(key), folder, wanted, receipt, archives.report)


def _claim_masks(folder: Path, void_border: bool) -> None:
    """Remember how the masks are made; refuse to mix them with others."""
    settings = {"void_border": void_border}
    try:
        found = read_json(folder / _SETTINGS, "settings of masks")
    except InputError:
        found = None
    if found == settings:
        return
    if list_names(folder):
        other = "with the other choice of --void-border" if found else "by something else"
        raise InputError(f"{folder} holds masks made {other}; move it away, and run again")
    write_json(folder / _SETTINGS, settings)


def _make_masks(folder: Path, split: str, archives: Archives, void_border: bool) -> None:
    """Make the masks that are missing and, at last, the list of annotated images."""
    target = folder / "SegmentationClass" / split
    made = set(list_names(target))
    names_file = folder / "ImageSets" / "Segmentation" / f"{split}.txt"
    if names_file.is_file():
        names = names_file.read_text(encoding="utf-8").split()
        if all(_mask_name(name) in made for name in names):
            return
    path = folder / "annotations" / f"instances_{split}2014.json"
    names, masks = _read_instances(path, target, void_border)
    missing = [mask for mask in masks if mask.path.name not in made]
    for_each(_make_mask, missing, f"masks of {split}", archives.report)
    write_text(names_file, "".join(f"{name}\n" for name in names))


def _read_instances(path: Path, target: Path, void_border: bool) -> tuple[list[str], list[_Mask]]:
    """Names of the images with an instance, sorted, and their masks."""
    document = parse_json(read_bytes(path, "annotations"), str(path))
    try:
        class_ids = _class_ids(document)
        instances: dict[int, list[Annotation]] = {}
        for annotation in document["annotations"]:
            if annotation["category_id"] not in class_ids:
                raise KeyError(annotation["category_id"])
            instances.setdefault(annotation["image_id"], []).append(annotation)
        images = {image["id"]: image for image in document["images"]}
        names = {key: image_name(images[key]["file_name"]) for key in instances}
        _require_distinct(names.values(), path)
        masks = [
            _Mask(
                target / _mask_name(names[key]),
                annotations,
                require_size((images[key]["height"], images[key]["width"])),
                class_ids,
                void_border,
            )
            for key, annotations in instances.items()
        ]
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{path}: not a COCO instances file ({one_line(repr(error))})") from None
    return sorted(names.values()), masks


def _class_ids(document: dict[str, Any]) -> dict[int, int]:
    """Class id of each category; ValueError if masks cannot tell them apart."""
    ids = [category["id"] for category in document["categories"]]
    if len(set(ids)) < len(ids) or len(ids) >= IGNORE_INDEX:
        raise ValueError(f"{len(ids)} categories; up to {IGNORE_INDEX - 1} of different ids")
    return {key: index for index, key in enumerate(ids, 1)}


def _require_distinct(names: Iterable[str], path: Path) -> None:
    """InputError if an image's name cannot be used, or two masks would have the same."""
    seen: set[str] = set()
    for name in names:
        if len(name.encode(errors="replace")) > LONGEST_NAME:
            raise InputError(f"{path}: the name {name[:40]!a}... is longer than names of files")
        require_usable(name, str(path))
        if (mask := _mask_name(name)) in seen:
            raise InputError(f"{path}: two images have the mask {mask}; name them differently")
        seen.add(mask)


def _make_mask(item: _Mask) -> None:
    try:
        mask = mask_of_instances(
            item.annotations, item.size, item.class_ids, void_border=item.void_border
        )
    except Exception as error:  # pycocotools raises almost anything
        reason = f"its instances cannot be drawn ({one_line(error)})"
        raise InputError(f"{item.path.name}: {reason}") from None
    save_mask(mask, item.path)


def _mask_name(image: str) -> str:
    """COCO_val2014_000000000042 -> 000000000042.png."""
    return f"{image.rsplit('_', 1)[-1]}.png"
