"""A plain folder of images with a tags file: the least that training needs.

Stage 1. Where everything is: `dataset_yaml.py`. The tags file (format: `data/tags`) names images
relative to their folder, with or without their suffix. Its optional `split` column assigns each
image to a split; without it, and without a ratio, every image belongs to split `train`. Without a
tags file, folders tell the tag: `<class>/` or `<split>/<class>/`; those in `background/` have none.
Where CLIP makes the tags (`auto`), a table or such folders only tell images and splits; without a
table it is every image, in the splits `train/` and `val/` if there are such folders.
For evaluation, `masks/<image without suffix>.png` may hold masks, of some images or all.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from posixpath import normpath, splitext

from weclip.data.batch import MaskedImage, TaggedImage
from weclip.data.classes import ClassList
from weclip.data.images.listing import (
    AUTO,
    IMAGE_SUFFIXES,
    Listings,
    existing_folder,
    is_image,
    list_files,
    list_names,
    nfc,
    require_files,
    unknown_split,
)
from weclip.data.layouts.dataset_yaml import FILE_NAME, TAGS_FILES, Description, describe
from weclip.data.masks.mask_labels import mask_labels, parse_mask_labels
from weclip.data.tags.reading import DEFAULT_CHOICE, TagsChoice
from weclip.data.tags.tags_file import TagsFile, TagsRow, read_tags_file
from weclip.system.errors import InputError

ONLY_SPLIT = "train"
RATIO_SPLITS = (ONLY_SPLIT, "val")
BACKGROUND = "background"


def read_split(
    root: str | Path,
    classes: ClassList,
    split: str,
    tags_file: str | Path | None = None,
    choice: TagsChoice = DEFAULT_CHOICE,
) -> list[TaggedImage]:
    """Read the images and tags of one split, in the file's order; no mask folder is touched.

    Raises:
        InputError: The root, tags file, split or an image is missing, or a tag is unknown.
    """
    if tags_file == AUTO:
        return _read_untagged(describe(root), classes, split, choice)
    return _read_described(describe(root, tags_file), classes, split, choice)


def read_masked_split(
    root: str | Path,
    classes: ClassList,
    split: str,
    tags_file: str | Path | None = None,
    choice: TagsChoice = DEFAULT_CHOICE,
) -> list[MaskedImage]:
    """Read those images of one split that have a mask, in the file's order.

    Raises:
        InputError: As `read_split`, or there is no mask folder or no mask in it.
    """
    auto = tags_file == AUTO
    place = describe(root, None if auto else tags_file)
    samples = read_split(root, classes, split, tags_file, choice)
    masks = existing_folder(place.masks, "mask folder")
    labels = mask_labels(classes)
    if place.mask_labels is not None:
        labels = parse_mask_labels(place.mask_labels, classes, f"{place.origin}: mask_labels")
    listings = Listings(masks)
    found = [(sample, listings.find(PurePosixPath(f"{sample.name}.png"))) for sample in samples]
    masked = [
        MaskedImage(sample.name, sample.path, masks / mask, None if auto else sample.tags, labels)
        for sample, mask in found
        if listings.exists(mask)
    ]
    if not masked:
        raise InputError(
            f"{masks}: no mask for any of the {len(samples)} images of split '{split}', "
            f"expected for example {samples[0].name}.png"
        )
    return masked


def unlisted_images(
    root: str | Path,
    classes: ClassList,
    tags_file: str | Path | None = None,
    choice: TagsChoice = DEFAULT_CHOICE,
) -> list[str]:
    """Find images outside the mask folder and hidden folders that no row of the tags file names.

    Returns:
        Sorted paths relative to the images' folder, none where folders tell the tags; what is not
        UTF-8 in them is replaced.
    """
    place = describe(root, None if tags_file == AUTO else tags_file)
    if place.tags is None:
        return []
    read = _tags_of(place, classes, choice)
    images = [row.image for row in read.rows] + [
        n for names in read.left_out.values() for n in names
    ]
    listed = {nfc(normpath(image)) for image in images}
    unlisted = (f for f in _all_images(place) if not {nfc(f), nfc(splitext(f)[0])} & listed)
    return sorted(os.fsencode(file).decode("utf-8", "replace") for file in unlisted)


def _all_images(place: Description) -> list[str]:
    """Relative paths of all images outside the mask folder and hidden folders."""
    found = []
    for folder, folders, files in os.walk(place.images):
        inside = Path(folder).relative_to(place.images)
        folders[:] = [path.name for path in _folders(Path(folder), place, folders)]
        images = [file for file in files if not file.startswith(".") and is_image(file)]
        found += images if inside == Path() else [f"{inside.as_posix()}/{name}" for name in images]
    return found


def class_folders(place: Description) -> list[str]:
    """Find the names of the folders that tell the tag, where there is no class list.

    Returns:
        Sorted names of `<class>/` or `<split>/<class>/`, each once: the folders that hold images,
        other than the mask folder and `background/`.

    Raises:
        InputError: There is none, or this is a VOC or COCO data set.
    """
    if (place.images / "JPEGImages").is_dir():
        raise InputError(
            f"{place.origin}: looks like a VOC or COCO data set; use data.format=voc or "
            "data.format=coco, or give a tags file"
        )
    folders = list(_folders(place.images, place))
    holding = [path for path in folders if _holds_images(path)]
    if _is_split(place.images / ONLY_SPLIT, place):
        holding = [inner for path in folders for inner in _folders(path, place)]
        holding = [path for path in holding if _holds_images(path)]
    names = {path.name for path in holding} - {BACKGROUND}
    if not names:
        raise _no_tags(place)
    return sorted(names)


def _tags_of(place: Description, classes: ClassList, choice: TagsChoice) -> TagsFile:
    """What the tags file says."""
    assert place.tags is not None
    return read_tags_file(
        place.tags,
        classes,
        control=choice.control,
        untagged=choice.untagged,
        images=place.images,
    )


def _read_untagged(
    place: Description, classes: ClassList, split: str, choice: TagsChoice
) -> list[TaggedImage]:
    """As `read_split`, where no tag is used."""
    if place.tags is not None:
        return [replace(each, tags=()) for each in _read_described(place, classes, split, choice)]
    files: dict[str, Path] = {}
    for file in sorted(_all_images(place)):
        if (same := files.setdefault(splitext(file)[0], place.images / file)).name != Path(
            file
        ).name:
            raise InputError(f"{same}: {Path(file).name} has the same name; keep one of them")
    splits = {ONLY_SPLIT}
    if place.ratio is not None:
        splits = {*RATIO_SPLITS}
    elif all((place.images / name).is_dir() for name in RATIO_SPLITS):
        splits = {*RATIO_SPLITS}
        files = {name: path for name, path in files.items() if name.startswith(f"{split}/")}
    if split not in splits:
        raise unknown_split(split, splits, str(place.origin))
    if not files:
        raise InputError(f"{place.images}: no image in it; add some, or see {FILE_NAME}")
    return _share(place, [TaggedImage(name, path, ()) for name, path in files.items()], split)


def _read_described(
    place: Description, classes: ClassList, split: str, choice: TagsChoice
) -> list[TaggedImage]:
    """As `read_split`."""
    if place.ratio is not None and split not in RATIO_SPLITS:
        raise unknown_split(split, RATIO_SPLITS, str(place.origin))
    if place.tags is None:
        return _read_class_folders(place, classes, split)
    rows, listings = _tags_of(place, classes, choice).rows, Listings(place.images)
    if place.ratio is None:
        samples, files = _samples(place, listings, _rows_of_split(rows, split, place.tags))
    else:
        _refuse_split_column(place, rows)
        samples, files = _samples(place, listings, rows)
        samples = _share(place, samples, split)
    images = [str(files[sample.name]) for sample in samples]
    existing = {str(files[s.name]) for s in samples if listings.exists(files[s.name])}
    require_files(images, existing, f"images of {place.tags.name}", str(place.images))
    return samples


def _samples(
    place: Description, listings: Listings, rows: list[TagsRow]
) -> tuple[list[TaggedImage], dict[str, PurePosixPath]]:
    """The images of some rows, and their files by name, which need not exist."""
    samples: dict[str, TaggedImage] = {}
    files: dict[str, PurePosixPath] = {}
    for row in rows:
        where = f"{place.tags}, line {row.line}"
        image = listings.find_image(_relative_image(row, place.reserved, where))
        name = str(image.with_suffix(""))
        if name in samples:
            raise InputError(
                f"{where}: '{row.image}' and '{samples[name].path.name}' differ "
                "only in their suffix, or not at all; remove or rename one of them"
            )
        samples[name] = TaggedImage(name, place.images / image, row.tags)
        files[name] = image
    return list(samples.values()), files


def _share(place: Description, samples: list[TaggedImage], split: str) -> list[TaggedImage]:
    """Those of all images that the described ratio puts into a split."""
    if place.ratio is None:
        return samples
    val = place.ratio.val_names([sample.name for sample in samples])
    selected = [sample for sample in samples if (sample.name in val) == (split != ONLY_SPLIT)]
    if not selected:
        raise InputError(f"{place.origin}: split: one image cannot be split; leave 'split' out")
    return selected


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


def _refuse_split_column(place: Description, rows: list[TagsRow]) -> None:
    line = next((row.line for row in rows if row.split is not None), None)
    if line is not None:
        raise InputError(
            f"{place.origin}: split: {place.tags}, line {line}, gives a split too; keep one of them"
        )


def _relative_image(row: TagsRow, reserved: str | None, where: str) -> PurePosixPath:
    """Check that an image path stays inside the images' folder and outside the mask folder."""
    image = PurePosixPath(row.image)
    if image.is_absolute() or ".." in image.parts:
        raise InputError(f"{where}: '{row.image}' must be a path relative to the data root")
    if reserved is not None and image.is_relative_to(reserved):
        raise InputError(f"{where}: '{row.image}' lies in {reserved}/, which is reserved for masks")
    return image


def _read_class_folders(place: Description, classes: ClassList, split: str) -> list[TaggedImage]:
    """Images whose folder is their only tag."""
    in_split = _is_split(place.images / split, place)
    base = place.images / split if in_split else place.images
    if place.ratio is not None and in_split:
        raise InputError(
            f"{place.origin}: split: the folder {base} gives a split too; keep one of them"
        )
    if not in_split and place.ratio is None and split != ONLY_SPLIT:
        splits = {path.name for path in _folders(base, place) if _is_split(path, place)}
        available = splits if ONLY_SPLIT in splits else {ONLY_SPLIT}
        raise unknown_split(split, available, str(place.origin))
    folders = {nfc(path.name): path for path in _folders(base, place)}
    tags: dict[str, tuple[int, ...]] = {
        name: (index,) for index, name in enumerate(classes.names) if nfc(name) in folders
    }
    if not tags:
        raise _no_tags(place)
    if BACKGROUND in folders:
        tags[BACKGROUND] = ()
    samples = [
        TaggedImage(str(path.relative_to(place.images).with_suffix("")), path, tags[name])
        for name in tags
        for path in list_files(folders[nfc(name)], "image folder", IMAGE_SUFFIXES).values()
    ]
    if not samples:
        raise InputError(f"{base}: no image in the folders {', '.join(tags)}")
    return _share(place, samples, split)


def _no_tags(place: Description) -> InputError:
    return InputError(
        f"{place.origin}: no tags; give data.tags_file, or put one of {', '.join(TAGS_FILES)} "
        f"there, or name it in {FILE_NAME} under 'tags', or sort the images into folders named "
        "after the classes"
    )


def _folders(
    folder: Path, place: Description, names: Sequence[str] | None = None
) -> Iterator[Path]:
    """The folders in a folder (of those `names`), without hidden ones and the mask folder."""
    for name in list_names(folder) if names is None else names:
        path = folder / name
        if name.startswith(".") or path.relative_to(place.images).as_posix() == place.reserved:
            continue
        if path.is_dir():
            yield path


def _is_split(folder: Path, place: Description) -> bool:
    """Whether a folder is named after a split, and no class: it holds folders."""
    return folder.is_dir() and next(_folders(folder, place), None) is not None


def _holds_images(folder: Path) -> bool:
    return any(is_image(name) and not name.startswith(".") for name in list_names(folder))
