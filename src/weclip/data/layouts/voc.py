"""PASCAL VOC layout: split lists, JPEGImages, XML annotations, masks.

Stage 1. Expected below the root, or below VOCdevkit/VOC2012 in it:

    ImageSets/Segmentation/<split>.txt    one image name per line
    JPEGImages/<name>.jpg                 any common image suffix
    Annotations/<name>.xml                tags; not needed with a tags file
    SegmentationClass/<name>.png          evaluation only
    SegmentationClassAug/<name>.png       used for split train_aug, if the folder is there
"""

from pathlib import Path

from weclip.data.batch import MaskedImage, TaggedImage
from weclip.data.classes import ClassList
from weclip.data.images.listing import (
    AUTO,
    IMAGE_SUFFIXES,
    find_root,
    find_tags_file,
    is_image,
    list_files,
    nfc,
    require_files,
    unknown_split,
)
from weclip.data.masks.mask_labels import mask_labels
from weclip.data.tags.annotations import read_voc_tags
from weclip.data.tags.reading import DEFAULT_CHOICE, TagsChoice
from weclip.data.tags.tags_file import read_tags_by_name
from weclip.system.errors import InputError

_LISTS = "ImageSets/Segmentation"
_INSIDE = ("VOCdevkit/VOC2012", "VOC2012")


def read_split(
    root: str | Path,
    classes: ClassList,
    split: str,
    tags_file: str | Path | None = None,
    choice: TagsChoice = DEFAULT_CHOICE,
) -> list[TaggedImage]:
    """Read the images and tags of one split, in the list's order; no mask folder is touched.

    Raises:
        InputError: A folder, split, image or annotation is missing, or a tag is unknown.
    """
    folder = find_root(root, _INSIDE, _LISTS, "VOC")
    images = _split_images(folder, split)
    tags: dict[str, tuple[int, ...]]
    if tags_file == AUTO:
        tags = dict.fromkeys(images, ())
    elif tags_file is None:
        annotations = list_files(folder / "Annotations", "annotation folder", {".xml"})
        require_files(list(images), annotations, "annotations", str(folder / "Annotations"))
        tags = {name: read_voc_tags(annotations[name], classes) for name in images}
    else:
        path = find_tags_file(tags_file, root)
        tags = read_tags_by_name(path, classes, choice)
        require_files(list(images), tags, f"images of split '{split}'", str(path))
    return [TaggedImage(name, path, tags[name]) for name, path in images.items()]


def read_masked_split(
    root: str | Path,
    classes: ClassList,
    split: str,
    tags_file: str | Path | None = None,
    choice: TagsChoice = DEFAULT_CHOICE,
) -> list[MaskedImage]:
    """Read the images and masks of one split, in the list's order, with tags where there are any.

    Raises:
        InputError: A folder, split, image or mask is missing, or a tag is unknown.
    """
    folder = find_root(root, _INSIDE, _LISTS, "VOC")
    images = _split_images(folder, split)
    mask_folder = folder / "SegmentationClass"
    if split == "train_aug" and (folder / "SegmentationClassAug").is_dir():
        mask_folder = folder / "SegmentationClassAug"
    masks = list_files(mask_folder, "mask folder", {".png"})
    require_files(list(images), masks, "masks", str(mask_folder))

    tags: dict[str, tuple[int, ...]] = {}
    if tags_file is not None and tags_file != AUTO:
        tags = read_tags_by_name(find_tags_file(tags_file, root), classes, choice)
    elif tags_file is None and (folder / "Annotations").is_dir():
        annotations = list_files(folder / "Annotations", "annotation folder", {".xml"})
        tags = {n: read_voc_tags(annotations[n], classes) for n in images if n in annotations}
    labels = mask_labels(classes)
    return [
        MaskedImage(name, path, masks[name], tags.get(name), labels)
        for name, path in images.items()
    ]


def _split_images(folder: Path, split: str) -> dict[str, Path]:
    """Return name -> image file for the names of a split list."""
    path = folder / _LISTS / f"{split}.txt"
    if not path.is_file():
        available = [file.stem for file in (folder / _LISTS).glob("*.txt")]
        raise unknown_split(split, available, str(folder / _LISTS))
    first_lines: dict[str, int] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise InputError(f"{path}: not a UTF-8 text file; it must list image names") from None
    for line, name in enumerate(lines, 1):
        name = nfc(name.strip())
        if name and first_lines.setdefault(name, line) != line:
            raise InputError(
                f"{path}, line {line}: '{name}' is already on line {first_lines[name]}"
            )
    if not first_lines:
        raise InputError(f"{path}: the split list is empty")
    files = list_files(folder / "JPEGImages", "image folder", IMAGE_SUFFIXES)
    for name, line in first_lines.items():
        if name not in files and (is_image(name) or set(name) & {" ", "/"}):
            raise InputError(
                f"{path}, line {line}: '{name}' is no image name; write one name a line, without "
                "folder and suffix"
            )
    require_files(list(first_lines), files, f"images of {path.name}", str(folder / "JPEGImages"))
    return {name: files[name] for name in first_lines}
