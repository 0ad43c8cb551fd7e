"""COCO 2014 layout: image and mask folders per split, tags from the instances files.

Stage 1. Expected below the root, or below MSCOCO in it:

    JPEGImages/<split>/COCO_<split>2014_<id>.jpg
    SegmentationClass/<split>/<id>.png         evaluation only; the COCO_ prefix is accepted
    annotations/instances_<split>2014.json     tags; not needed with a tags file

A split is every image that has at least one tag, as in the lists of the released code; where CLIP
makes the tags, every image, or for evaluation every image with a mask.
"""

import re
from pathlib import Path

from weclip.data.batch import MaskedImage, TaggedImage
from weclip.data.classes import ClassList
from weclip.data.images.listing import (
    AUTO,
    IMAGE_SUFFIXES,
    find_root,
    find_tags_file,
    list_files,
    require_files,
    unknown_split,
)
from weclip.data.masks.mask_labels import mask_labels
from weclip.data.tags.annotations import read_coco_tags
from weclip.data.tags.reading import DEFAULT_CHOICE, TagsChoice
from weclip.data.tags.tags_file import read_tags_by_name
from weclip.system.errors import InputError


def read_split(
    root: str | Path,
    classes: ClassList,
    split: str,
    tags_file: str | Path | None = None,
    choice: TagsChoice = DEFAULT_CHOICE,
) -> list[TaggedImage]:
    """Read the images and tags of one split, by name; no mask folder is touched.

    Raises:
        InputError: A folder, split, image or annotation file is missing, or a tag is unknown.
    """
    folder = _find(root)
    images = _list_images(folder, split)
    if tags_file == AUTO:
        return [TaggedImage(file.stem, file, ()) for file in images.values()]
    if tags_file is None:
        path = folder / "annotations" / f"instances_{split}2014.json"
        tags = {_image_id(name): tags for name, tags in read_coco_tags(path, classes).items()}
        require_files(list(tags), images, "annotated images", str(folder / "JPEGImages" / split))
    else:
        path = find_tags_file(tags_file, root)
        rows = read_tags_by_name(path, classes, choice).items()
        tags = {_image_id(name): tags for name, tags in rows if tags}
    samples = [
        TaggedImage(file.stem, file, tags[key]) for key, file in images.items() if key in tags
    ]
    if not samples:
        raise InputError(f"{path}: no image of {folder / 'JPEGImages' / split} has tags in it")
    return samples


def read_masked_split(
    root: str | Path,
    classes: ClassList,
    split: str,
    tags_file: str | Path | None = None,
    choice: TagsChoice = DEFAULT_CHOICE,
) -> list[MaskedImage]:
    """Read the images, masks and tags of one split, by name.

    Raises:
        InputError: As `read_split`, or a mask is missing.
    """
    samples = read_split(root, classes, split, tags_file, choice)
    mask_folder = _find(root) / "SegmentationClass" / split
    files = list_files(mask_folder, "mask folder", {".png"})
    masks = {_image_id(name): file for name, file in files.items()}
    auto = tags_file == AUTO
    ids = {sample.name: _image_id(sample.name) for sample in samples}
    if auto and masks.keys() & ids.values():
        samples = [sample for sample in samples if ids[sample.name] in masks]
        ids = {sample.name: ids[sample.name] for sample in samples}
    require_files(list(ids.values()), masks, "masks", str(mask_folder))
    labels = mask_labels(classes)
    return [
        MaskedImage(s.name, s.path, masks[ids[s.name]], None if auto else s.tags, labels)
        for s in samples
    ]


def _find(root: str | Path) -> Path:
    return find_root(root, ("MSCOCO",), "JPEGImages", "COCO")


def _list_images(folder: Path, split: str) -> dict[str, Path]:
    """Return image id -> file of one split's folder."""
    images = folder / "JPEGImages"
    available = [path.name for path in images.iterdir() if path.is_dir()]
    if split not in available:
        raise unknown_split(split, available, str(images))
    files = list_files(images / split, "image folder", IMAGE_SUFFIXES)
    return {_image_id(name): file for name, file in files.items()}


def _image_id(name: str) -> str:
    """Drop the prefix that published masks lack: COCO_val2014_000000000042 -> 000000000042."""
    return re.sub(r"^COCO_[a-z]+\d{4}_", "", name)
