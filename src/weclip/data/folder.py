"""A plain folder of images with a tags file: the least that training needs.

Stage 1. The tags file (format: `tags.py`) names images relative to the root, with or without their
suffix. Its optional `split` column assigns each image to a split; without it every image belongs to
split `train`. A file under one of the names in `TAGS_FILES` need not be given. Without any, folders
tell the tag: `<class>/` or `<split>/<class>/`.
For evaluation, `masks/<image without suffix>.png` may hold index masks, of some images or all.
"""

import os
from pathlib import Path, PurePosixPath

from weclip.data.batch import MaskedImage, TaggedImage
from weclip.data.classes import ClassList
from weclip.data.files import (
    IMAGE_SUFFIXES,
    existing_folder,
    find_tags_file,
    is_image,
    list_files,
    list_names,
    require_files,
    unknown_split,
)
from weclip.data.tags import TagsRow, read_tags_file
from weclip.errors import InputError

TAGS_FILES = "tags.csv tags.jsonl metadata.csv metadata.jsonl labels.json annotations.xml".split()
MASKS = "masks"
ONLY_SPLIT = "train"


def read_split(
    root: str | Path, classes: ClassList, split: str, tags_file: str | Path | None = None
) -> list[TaggedImage]:
    """Read the images and tags of one split, in the file's order; no mask folder is touched.

    Raises:
        InputError: The root, tags file, split or an image is missing, or a tag is unknown.
    """
    root = existing_folder(root, "data root")
    path = _find_tags(root, tags_file)
    if path is None:
        return _read_class_folders(root, classes, split)
    rows = _rows_of_split(read_tags_file(path, classes), split, path)
    samples: dict[str, TaggedImage] = {}
    listings: dict[Path, dict[str, Path]] = {}
    for row in rows:
        image = _with_suffix(root, _relative_image(row, f"{path}, line {row.line}"), listings)
        name = str(image.with_suffix(""))
        if name in samples:
            raise InputError(
                f"{path}, line {row.line}: '{row.image}' and '{samples[name].path.name}' differ "
                "only in their suffix, or not at all; remove or rename one of them"
            )
        samples[name] = TaggedImage(name, root / image, row.tags)
    images = [str(sample.path.relative_to(root).as_posix()) for sample in samples.values()]
    require_files(images, _existing(root, images), f"images of {path.name}", str(root))
    return list(samples.values())


def read_masked_split(
    root: str | Path, classes: ClassList, split: str, tags_file: str | Path | None = None
) -> list[MaskedImage]:
    """Read those images of one split that have a mask, in the file's order.

    Raises:
        InputError: As `read_split`, or there is no mask folder or no mask in it.
    """
    samples = read_split(root, classes, split, tags_file)
    masks = existing_folder(Path(root) / MASKS, "mask folder")
    existing = _existing(masks, [f"{sample.name}.png" for sample in samples])
    masked = [
        MaskedImage(sample.name, sample.path, masks / f"{sample.name}.png", sample.tags)
        for sample in samples
        if f"{sample.name}.png" in existing
    ]
    if not masked:
        raise InputError(
            f"{masks}: no mask for any of the {len(samples)} images of split '{split}', "
            f"expected for example {samples[0].name}.png"
        )
    return masked


def unlisted_images(
    root: str | Path, classes: ClassList, tags_file: str | Path | None = None
) -> list[str]:
    """Find images below the root, outside `masks/` and hidden folders, that no row names.

    Returns:
        Sorted paths relative to the root, none where folders tell the tags; what is not UTF-8 in
        them is replaced.
    """
    root = existing_folder(root, "data root")
    path = _find_tags(root, tags_file)
    if path is None:
        return []
    listings: dict[Path, dict[str, Path]] = {}
    named = (PurePosixPath(row.image) for row in read_tags_file(path, classes))
    listed = {str(_with_suffix(root, image, listings)) for image in named}
    found = []
    for folder, folders, files in os.walk(root):
        inside = Path(folder).relative_to(root)
        folders[:] = [f for f in folders if not f.startswith(".") and str(inside / f) != MASKS]
        images = [file for file in files if not file.startswith(".") and is_image(file)]
        found += [(inside / image).as_posix() for image in images]
    return sorted(os.fsencode(f).decode("utf-8", "replace") for f in found if f not in listed)


def _find_tags(root: Path, tags_file: str | Path | None) -> Path | None:
    """The tags file: the one given, or the first of `TAGS_FILES`, or None if there is none."""
    if tags_file is not None:
        return find_tags_file(tags_file, root)
    return next((root / name for name in TAGS_FILES if (root / name).is_file()), None)


def _rows_of_split(rows: list[TagsRow], split: str, path: Path) -> list[TagsRow]:
    """Select a split's rows; a file without splits has only `train`."""
    with_split = [row for row in rows if row.split is not None]
    if with_split and len(with_split) < len(rows):
        line = next(row.line for row in rows if row.split is None)
        raise InputError(f"{path}, line {line}: 'split' is missing here but given in other rows")
    selected = [row for row in rows if (row.split or ONLY_SPLIT) == split]
    if not selected:
        raise unknown_split(split, {row.split or ONLY_SPLIT for row in rows}, str(path))
    return selected


def _relative_image(row: TagsRow, where: str) -> PurePosixPath:
    """Check that an image path stays inside the root and outside the mask folder."""
    image = PurePosixPath(row.image)
    if image.is_absolute() or ".." in image.parts:
        raise InputError(f"{where}: '{row.image}' must be a path relative to the data root")
    if image.parts[0] == MASKS:
        raise InputError(f"{where}: '{row.image}' lies in {MASKS}/, which is reserved for masks")
    return image


def _with_suffix(
    root: Path, image: PurePosixPath, listings: dict[Path, dict[str, Path]]
) -> PurePosixPath:
    """The file of an image that a tags file names without suffix; `listings` are kept by folder."""
    folder = root / image.parent
    if image.suffix.lower() in IMAGE_SUFFIXES or not folder.is_dir():
        return image
    if folder not in listings:
        listings[folder] = list_files(folder, "image folder", IMAGE_SUFFIXES)
    found = listings[folder].get(image.name)
    return image if found is None else image.with_name(found.name)


def _read_class_folders(root: Path, classes: ClassList, split: str) -> list[TaggedImage]:
    """Images whose folder is their only tag."""
    splits = [path for path in (root / split,) if path.is_dir()]
    base = splits[0] if splits else root
    folders = [name for name in classes.names if (base / name).is_dir()]
    if not folders:
        raise InputError(
            f"{root}: no tags; give data.tags_file, or put one of {', '.join(TAGS_FILES)} there, "
            f"or sort the images into folders named after the classes"
        )
    if not splits and split != ONLY_SPLIT:
        raise unknown_split(split, {ONLY_SPLIT}, str(root))
    return [
        TaggedImage(str(path.relative_to(root).with_suffix("")), path, (classes.index(name),))
        for name in folders
        for path in list_files(base / name, "image folder", IMAGE_SUFFIXES).values()
    ]


def _existing(root: Path, files: list[str]) -> set[str]:
    """Return those of the relative paths `files` that exist, with one listing per folder."""
    folders = {PurePosixPath(file).parent for file in files}
    return {str(folder / name) for folder in folders for name in list_names(root / folder)}
